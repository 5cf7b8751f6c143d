/** Of the API, what has the tag "vehicles": made by `node scripts/client.ts` from the API's description. */
import type { Page } from "../page.ts";

export type FleetItem = {
  readonly vehicle: string;
  readonly profile: string;
  /** whether a command would reach it now */ readonly online: boolean;
  readonly revoked: boolean;
  /** when the newest event happened */ readonly seenAt?: string;
  /** all bolts seen locked */ readonly locked?: boolean;
  /** WGS 84, degrees */ readonly latitude?: number;
  readonly longitude?: number;
  readonly headingDeg?: number;
  readonly speedKmh?: number;
  readonly fuelPercent?: number;
  readonly chargePercent?: number;
  /** the 12 V battery, where it was told to be low */ readonly batteryLowV?: number;
  /** the newest fault that is not over */ readonly fault?: string;
  /** the newest alarm */ readonly alarm?: string;
  readonly alarmAt?: string;
};

export type Vehicle = {
  /** the car */ readonly vehicle: string;
  /** name of its vehicle profile */ readonly profile: string;
  /** whether a command would reach it now */ readonly online: boolean;
  /** when it was enrolled (ISO 8601 with an offset) */ readonly enrolledAt: string;
  /** when it was revoked (ISO 8601 with an offset) */ readonly revokedAt?: string;
  readonly session?: {
    /** when the session was announced (ISO 8601 with an offset) */ readonly announcedAt: string;
    /** version of the agent */ readonly agentVersion: string;
    /** the profile in force */ readonly profile: string;
  };
};

export type VehiclesOperations = {
  /** One car. */
  readonly getVehicle: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
    };
    readonly answer: Vehicle;
  };
  /** What a list and a map of all cars show, by id. */
  readonly listFleet: {
    readonly ask: {
      readonly query?: { /** only this vehicle */ readonly vehicle?: string; /** only these vehicles, up to 40, with commas between them */ readonly vehicles?: string; /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<FleetItem>;
  };
  /** The cars, by id. */
  readonly listVehicles: {
    readonly ask: {
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<Vehicle>;
  };
};
