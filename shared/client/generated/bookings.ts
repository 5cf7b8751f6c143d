/** Of the API, what has the tag "bookings": made by `node scripts/client.ts` from the API's description. */
import type { Page } from "../page.ts";

export type Booking = {
  /** its id */ readonly booking: string;
  /** the car */ readonly vehicle: string;
  /** opaque id of the person; left out for people's accounts, which ask with a reason */ readonly holder?: string;
  /** from (ISO 8601 with an offset) */ readonly from: string;
  /** to; of an ended booking, when it ended (ISO 8601 with an offset) */ readonly to: string;
  /** open once a first unlocking was done */ readonly state: "reserved" | "open" | "ended" | "cancelled";
  /** rises with each change */ readonly version: number;
  /** by the car's own newest word, whether or not a command had to do with it; left out where it has said none */ readonly rental?: {
    /** where it stands on the car */ readonly state: "open" | "ended";
    /** what opened it */ readonly by?: "command" | "card" | "phone";
    /** since when it stands so (ISO 8601 with an offset) */ readonly since: string;
  };
};

export type CarryGrantAnswer = {
  /** for the phone, base64url */ readonly carried: string;
};

export type CreateBookingBody = {
  /** the car */ readonly vehicle: string;
  /** opaque id of the person; never a name or an address */ readonly holder: string;
  /** from (ISO 8601 with an offset) */ readonly from: string;
  /** to (ISO 8601 with an offset) */ readonly to: string;
};

export type CreateGrantBody = {
  readonly actions: readonly ("unlock" | "lock" | "trunk" | "unlock_and_release" | "lock_and_immobilise" | "end_rental")[];
  /** instead of a card: the phone's Ed25519 public key, base64url */ readonly phone?: string;
  /** instead of a phone */ readonly card?: {
    /** its number, hexadecimal; only a keyed hash of it is kept */ readonly uid: string;
    /** `keyed`: by its AES key; `uid`: it can show no more */ readonly proof: "keyed" | "uid";
    /** its own AES key (with `keyed`), hexadecimal */ readonly key?: string;
    /** whether its bare number, which anyone can copy, opens */ readonly uidRule: "never" | "with_pin" | "alone";
    /** its PIN */ readonly pin?: string;
  };
};

export type GrantsItem = {
  /** its id */ readonly grant: string;
  /** the booking that gives it */ readonly booking: string;
  /** the car */ readonly vehicle: string;
  readonly actions: readonly ("unlock" | "lock" | "trunk" | "unlock_and_release" | "lock_and_immobilise" | "end_rental")[];
  /** `pending` and `revoking`: the car has not confirmed it yet */ readonly state: "pending" | "active" | "revoking" | "revoked";
  /** the first list of the car that shows it so */ readonly listVersion?: number;
  /** the list that the car has confirmed */ readonly confirmedListVersion: number;
};

export type RescheduleBookingBody = {
  /** to (ISO 8601 with an offset) */ readonly to: string;
};

export type RevealHolderAnswer = {
  /** the booking */ readonly booking: string;
  /** opaque id of the person */ readonly holder: string;
  /** as the person writes it */ readonly name?: string;
  /** E.164 */ readonly phone?: string;
  /** e-mail address */ readonly email?: string;
};

export type RevealHolderBody = {
  /** what it is needed for; stays in the audit trail */ readonly reason: string;
};

export type BookingsOperations = {
  /** Cancel a booking that was not opened, by a command or at the car. */
  readonly cancelBooking: {
    readonly ask: {
      readonly path: { readonly booking: string; };
    };
    readonly answer: Booking;
  };
  /** The grant for its phone to carry to a car that has no coverage; good for 24 hours at most. */
  readonly carryGrant: {
    readonly ask: {
      readonly path: { readonly grant: string; };
    };
    readonly answer: CarryGrantAnswer;
  };
  /** Book a car. */
  readonly createBooking: {
    readonly ask: {
      /** Made where none is given. */ readonly idempotencyKey?: string;
      readonly body: CreateBookingBody;
    };
    readonly answer: Booking;
  };
  /** Let a card or a phone open the car for a booking, with or without coverage. */
  readonly createGrant: {
    readonly ask: {
      readonly path: { readonly booking: string; };
      /** Made where none is given. */ readonly idempotencyKey?: string;
      readonly body: CreateGrantBody;
    };
    readonly answer: GrantsItem;
  };
  /** End a booking now; its car can be locked for 15 more minutes. */
  readonly endBooking: {
    readonly ask: {
      readonly path: { readonly booking: string; };
    };
    readonly answer: Booking;
  };
  /** One booking. */
  readonly getBooking: {
    readonly ask: {
      readonly path: { readonly booking: string; };
    };
    readonly answer: Booking;
  };
  /** Bookings, newest first. */
  readonly listBookings: {
    readonly ask: {
      readonly query?: { /** only this vehicle */ readonly vehicle?: string; /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<Booking>;
  };
  /** The grants of a car, and whether the car has confirmed them. */
  readonly listGrants: {
    readonly ask: {
      readonly path: { readonly vehicle: string; };
    };
    readonly answer: Page<GrantsItem>;
  };
  /** Let a booking end later or earlier; rights of cards and phones follow. */
  readonly rescheduleBooking: {
    readonly ask: {
      readonly path: { readonly booking: string; };
      readonly body: RescheduleBookingBody;
    };
    readonly answer: Booking;
  };
  /** Who holds a booking and how to reach them; the reason is recorded. */
  readonly revealHolder: {
    readonly ask: {
      readonly path: { readonly booking: string; };
      readonly body: RevealHolderBody;
    };
    readonly answer: RevealHolderAnswer;
  };
  /** Take a grant back; `revoking` until the car confirms it. */
  readonly revokeGrant: {
    readonly ask: {
      readonly path: { readonly grant: string; };
    };
    readonly answer: GrantsItem;
  };
};
