/** Of the API, what has the tag "events": made by `node scripts/client.ts` from the API's description. */
import type { Page } from "../page.ts";

export type EventsItem = {
  /** the car */ readonly vehicle: string;
  /** the log: what its buffer wrote between one boot and the next */ readonly log: string;
  /** the lane */ readonly lane: "critical" | "state" | "track";
  /** its number in lane and log */ readonly seq?: number;
  /** when it happened (ISO 8601 with an offset) */ readonly at?: string;
  /** its kind */ readonly kind?: string;
  /** by kind */ readonly data?: unknown;
  /** instead: numbers declared as gone, inclusive */ readonly gap?: readonly (number)[];
};

export type TripsItem = {
  /** the car */ readonly vehicle: string;
  /** the log that its end stands in */ readonly log: string;
  /** with `log`: the event of its end, in the lane `state` */ readonly seq: number;
  /** the booking it was for, as the car knew it */ readonly booking?: string;
  /** when it began, by the car's word or by its duration */ readonly startedAt?: string;
  /** when it ended */ readonly endedAt: string;
  /** by the odometer */ readonly distanceM?: number;
  /** from beginning to end */ readonly durationS?: number;
  /** at its beginning */ readonly odometerStartM?: number;
  /** at its end */ readonly odometerEndM?: number;
  /** at its beginning */ readonly fuelStartPercent?: number;
  /** at its end */ readonly fuelEndPercent?: number;
  /** at its beginning */ readonly chargeStartPercent?: number;
  /** at its end */ readonly chargeEndPercent?: number;
  /** what it was is no longer kept: its key has been destroyed */ readonly erased?: boolean;
};

export type EventsOperations = {
  /** The newest event of each kind of a car: its state as far as it is known. */
  readonly getLatest: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
    };
    readonly answer: Page<EventsItem>;
  };
  /** Stored events and declared gaps, by vehicle, start of log, lane, number. */
  readonly listEvents: {
    readonly ask: {
      readonly query?: { /** only this vehicle */ readonly vehicle?: string; /** only these kinds of events, with commas between them */ readonly kind?: string; /** only what happened then or later (ISO 8601 with an offset) */ readonly from?: string; /** only what happened then or earlier (ISO 8601 with an offset) */ readonly to?: string; /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<EventsItem>;
  };
  /** Trips that ended within a time, by vehicle and end. */
  readonly listTrips: {
    readonly ask: {
      readonly query?: { /** only this vehicle */ readonly vehicle?: string; /** only what happened then or later (ISO 8601 with an offset) */ readonly from?: string; /** only what happened then or earlier (ISO 8601 with an offset) */ readonly to?: string; /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<TripsItem>;
  };
  /** Trips of one car, by their end. */
  readonly listVehicleTrips: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
      readonly query?: { /** only what happened then or later (ISO 8601 with an offset) */ readonly from?: string; /** only what happened then or earlier (ISO 8601 with an offset) */ readonly to?: string; /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<TripsItem>;
  };
};
