/** Of the API, what has the tag "me": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";
import type { Booking } from "./bookings.ts";
import type { EventsItem } from "./events.ts";

export type Contact = {
  readonly role: "owner" | "borrower";
  readonly phone?: string;
  readonly email?: string;
};

export type ExportMeAnswer = {
  readonly person: {
    /** opaque id */ readonly person: string;
    /** suspended and erased are for good */ readonly state: "active" | "suspended" | "erased";
    readonly profile: {
      /** as the person writes it */ readonly name?: string;
      /** RFC 5321 § 4.5.3.1.3 */ readonly email?: string;
      /** E.164 */ readonly phone?: string;
      /** ISO 8601 */ readonly birthDate?: string;
      /** where the person lives */ readonly address?: string;
      /** number of the driving licence */ readonly licence?: string;
      /** number of a passport or identity card */ readonly nationalId?: string;
      /** the payment provider's token; never a card's number */ readonly paymentToken?: string;
    };
    /** when (ISO 8601) */ readonly createdAt: string;
    /** last use (ISO 8601) */ readonly usedAt?: string;
    /** last payment (ISO 8601) */ readonly paidAt?: string;
    /** when (ISO 8601) */ readonly suspendedAt?: string;
    /** when (ISO 8601) */ readonly erasedAt?: string;
  };
  readonly consents: readonly ({
    /** to what */ readonly purpose: "terms" | "privacy" | "marketing";
    /** of the text */ readonly version: string;
    /** when it was given (ISO 8601) */ readonly givenAt: string;
    /** when it was withdrawn (ISO 8601) */ readonly withdrawnAt?: string;
  })[];
  readonly credentials: readonly (unknown)[];
  /** what the cars reported during one is under /me/bookings/ID/events */ readonly bookings: readonly (unknown)[];
  /** of those, by the cars' own word */ readonly rentals: readonly ({
    /** the booking */ readonly booking: string;
    /** the car */ readonly vehicle: string;
    /** what opened it */ readonly by?: "command" | "card" | "phone";
    /** when it began */ readonly startedAt?: string;
    /** when it ended */ readonly endedAt?: string;
  })[];
  /** of those, while the car was mine */ readonly trips: readonly ({
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
  })[];
  /** those that are mine */ readonly cars: readonly (string)[];
  /** to be had under /me/files */ readonly files: readonly (unknown)[];
};

export type MeOperations = {
  /** All that is kept of me, to take away: JSON, or a page where text/html is accepted. */
  readonly exportMe: {
    readonly ask: Nothing;
    readonly answer: ExportMeAnswer;
  };
  /** How to reach the car's owner, or its borrower, while the booking lasts. */
  readonly getContact: {
    readonly ask: {
      readonly path: { readonly booking: string; };
    };
    readonly answer: Contact;
  };
  /** My bookings, newest first. */
  readonly listMyBookings: {
    readonly ask: {
      readonly query?: { /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<Booking>;
  };
  /** What the car reported while it was mine. */
  readonly listMyEvents: {
    readonly ask: {
      readonly path: { readonly booking: string; };
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<EventsItem>;
  };
};
