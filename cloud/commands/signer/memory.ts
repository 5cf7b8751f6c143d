/**
 * What the signer remembers by itself. A tenant's store is written by others: a record in it that the signer once sealed
 * verifies for ever, and so does an announcement that a car once signed, and the moment beside it is anybody's word. So
 * what may not come back is kept in the signer's own file: which bookings and grants have ended, which version of a
 * booking was believed last, and when each car's newest announcement was first heard of.
 */
import {
  type BookingRecord,
  type Clock,
  ProtocolError,
  type SessionAnnouncement,
  sha256,
  type TenantId,
  toHex,
  type VehicleRecord,
} from "@kerbside/protocol";
import type { BookingFields } from "../booking-rules.ts";

/** Small notes that outlive the signer and that several signers share, wherever they are kept. */
export type NoteLedger = {
  /** Undefined where there is none, or where its time has passed. */
  readonly note: (key: string, nowMs: number) => Promise<string | undefined>;
  /**
   * Puts what `change` makes of the note of `key` in its place until `untilMs`, one change after another whoever asks;
   * undefined leaves it. Durable when it resolves.
   */
  readonly changeNote: (
    key: string,
    times: { readonly nowMs: number; readonly untilMs: number },
    change: (before: string | undefined) => string | undefined,
  ) => Promise<void>;
};

const DAY_MS = 86_400_000;
/** How long after its end a booking is remembered; what is put back after that is over by its own times. */
const BOOKING_KEPT_MS = 31 * DAY_MS;
/** How long a car's newest announcement is remembered if nothing more is heard of it. */
const ANNOUNCEMENT_KEPT_MS = 400 * DAY_MS;
/** How long before it was first heard of here an announcement is believed to have arrived: a signer that was away. */
export const UNHEARD_MS_MAX = 60_000;

/** A booking's newest version that was believed, and whether its end was sealed. */
type BookingNote = { readonly version: number; readonly ended: boolean };
type Heard = Pick<SessionAnnouncement, "epochNumber" | "announcement"> & {
  readonly epoch: string;
  readonly atMs: number;
};

export class SignerMemory {
  readonly #clock: Clock;
  readonly #ledger: NoteLedger;

  constructor(clock: Clock, ledger: NoteLedger) {
    this.#clock = clock;
    this.#ledger = ledger;
  }

  /** Throws ProtocolError `unauthenticated` where a newer version was believed, and remembers this one. */
  async believeBooking(tenant: TenantId, booking: BookingRecord): Promise<void> {
    const before = await this.#booking(tenant, booking.booking);
    if ((before?.version ?? 0) > booking.version) {
      throw new ProtocolError("unauthenticated", "booking: an older version was put back");
    }
    if (before?.version === booking.version) return;
    await this.#raise(tenant, booking, { version: booking.version, ended: false });
  }

  /** Throws ProtocolError `unauthenticated` where this booking is alive and its end was sealed. */
  async checkNotEnded(tenant: TenantId, { booking, state }: BookingRecord): Promise<void> {
    if (state !== "reserved" && state !== "open") return;
    if ((await this.#booking(tenant, booking))?.ended !== true) return;
    throw new ProtocolError(
      "unauthenticated",
      "booking: one that was ended or cancelled was put back; if its end was not recorded, end it again",
    );
  }

  /** Before the seal of its end is handed out. */
  async endBooking(tenant: TenantId, booking: BookingFields): Promise<void> {
    if (booking.state === "reserved" || booking.state === "open") return;
    await this.#raise(tenant, booking, { version: 0, ended: true });
  }

  /** Before the seal of its revocation is handed out. `untilMs`: when its booking ends. */
  async revokeGrant(tenant: TenantId, grant: string, untilMs: number): Promise<void> {
    await this.#change(grantKey(tenant, grant), untilMs + BOOKING_KEPT_MS, () => "revoked");
  }

  async isRevoked(tenant: TenantId, grant: string): Promise<boolean> {
    return (await this.#note(grantKey(tenant, grant))) !== undefined;
  }

  /**
   * When this announcement arrived, Unix time. `claimedMs` is what the store says: it is believed of the first that is
   * heard of a car, and of others within `UNHEARD_MS_MAX`. Throws ProtocolError `unauthenticated` for one that is older
   * than one heard of before.
   */
  async heard(
    tenant: TenantId,
    { vehicle, signingKey }: Pick<VehicleRecord, "vehicle" | "signingKey">,
    session: SessionAnnouncement,
    claimedMs: number,
  ): Promise<number> {
    // A car that was enrolled anew, under another key, begins anew.
    const key = `a ${tenant} ${vehicle} ${toHex(sha256(signingKey).subarray(0, 8))}`;
    const nowMs = this.#clock.wallMs();
    const known = heardIn(await this.#note(key));
    if (known !== undefined && compare(session, known) === 0) return known.atMs;
    let atMs = 0;
    await this.#change(key, nowMs + ANNOUNCEMENT_KEPT_MS, (note) => {
      const before = heardIn(note);
      const order = before === undefined ? 1 : compare(session, before);
      if (before !== undefined && order < 0) {
        throw new ProtocolError("unauthenticated", "session: an older announcement was put back");
      }
      atMs = before === undefined ? claimedMs : Math.max(claimedMs, nowMs - UNHEARD_MS_MAX);
      if (before !== undefined && order === 0) {
        atMs = before.atMs;
        return undefined;
      }
      const { epochNumber, announcement } = session;
      return JSON.stringify({ epoch: toHex(session.epoch), epochNumber, announcement, atMs });
    });
    return atMs;
  }

  async #booking(tenant: TenantId, booking: string): Promise<BookingNote | undefined> {
    return bookingIn(await this.#note(bookingKey(tenant, booking)));
  }

  #raise(tenant: TenantId, { booking, toMs }: BookingFields, to: BookingNote): Promise<void> {
    return this.#change(bookingKey(tenant, booking), toMs + BOOKING_KEPT_MS, (note) => {
      const before = bookingIn(note) ?? { version: 0, ended: false };
      const version = Math.max(before.version, to.version);
      return JSON.stringify({ version, ended: before.ended || to.ended });
    });
  }

  #note(key: string): Promise<string | undefined> {
    return this.#ledger.note(key, this.#clock.wallMs());
  }

  #change(
    key: string,
    untilMs: number,
    change: (before: string | undefined) => string | undefined,
  ): Promise<void> {
    const nowMs = this.#clock.wallMs();
    const until = Math.max(untilMs, nowMs + BOOKING_KEPT_MS);
    return this.#ledger.changeNote(key, { nowMs, untilMs: until }, change);
  }
}

/** In memory, for a signer that is alone and may forget. */
export function memoryNotes(): NoteLedger {
  const notes = new Map<string, string>();
  return {
    note: async (key) => notes.get(key),
    changeNote: async (key, _, change) => {
      const after = change(notes.get(key));
      if (after !== undefined) notes.set(key, after);
    },
  };
}

const bookingKey = (tenant: TenantId, booking: string): string => `b ${tenant} ${booking}`;
const grantKey = (tenant: TenantId, grant: string): string => `g ${tenant} ${grant}`;

function bookingIn(note: string | undefined): BookingNote | undefined {
  if (note === undefined) return undefined;
  const { version, ended }: Partial<BookingNote> = JSON.parse(note);
  return { version: Number(version), ended: ended === true };
}

function heardIn(note: string | undefined): Heard | undefined {
  if (note === undefined) return undefined;
  const { epoch, epochNumber, announcement, atMs }: Partial<Heard> = JSON.parse(note);
  const numbered = epochNumber === undefined ? {} : { epochNumber };
  return {
    epoch: String(epoch),
    announcement: Number(announcement),
    atMs: Number(atMs),
    ...numbered,
  };
}

/** Below 0 where `next` was made before `known`: within an epoch by its number, across epochs by the epoch's. */
function compare(next: SessionAnnouncement, known: Heard): number {
  if (toHex(next.epoch) === known.epoch) return next.announcement - known.announcement;
  if (known.epochNumber === undefined) return 1;
  return (next.epochNumber ?? 0) > known.epochNumber ? 1 : -1;
}
