/**
 * Bookings as the operator's backend makes and ends them. Each version is sealed by the signer, who checks it by
 * itself; the store takes a version only after the one before.
 */
import {
  type BookingRecord,
  type BookingState,
  type Caller,
  type Clock,
  ProtocolError,
  type TenantStore,
  type VehicleId,
} from "@kerbside/protocol";
import {
  type BookingFields,
  bookingIdOf,
  CALLER_MOVES,
  checkNewBooking,
  checkNewEnd,
} from "./booking-rules.ts";
import type { CloudTenant } from "./cloud-tenant.ts";
import { rentalsOf } from "./rentals.ts";
import type { SignerClient } from "./signer/client.ts";
import type { Asker } from "./signer/request-signature.ts";

export type BookingAsk = {
  readonly vehicle: VehicleId;
  readonly holder: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly idempotencyKey: string;
  readonly from?: string;
};
export type BookingParts = {
  readonly tenant: (id: Caller["tenant"]) => Promise<CloudTenant | undefined>;
  readonly signer: Pick<SignerClient, "sealBooking">;
  readonly clock: Clock;
  /** Told of each change, once it is stored. Never rejects. */
  readonly changed?: (tenant: Caller["tenant"], booking: BookingRecord) => Promise<void>;
};
/** `created` is false where the same request had made it before. */
export type BookingMade = { readonly record: BookingRecord; readonly created: boolean };

export class BookingService {
  readonly #parts: BookingParts;

  constructor(parts: BookingParts) {
    this.#parts = parts;
  }

  /** Idempotent by caller and key. Throws ProtocolError `malformed`, `not_found` or `conflict`. */
  async create(caller: Asker, ask: BookingAsk): Promise<BookingMade> {
    const store = await this.#store(caller);
    const booking = bookingIdOf(caller.tenant, caller.subject, ask.idempotencyKey);
    const existing = await store.booking(booking);
    if (existing !== undefined) return { record: sameBooking(existing, ask), created: false };
    const vehicle = await store.vehicle(ask.vehicle);
    if (vehicle === undefined || vehicle.revokedAtMs !== undefined) {
      throw new ProtocolError("not_found", "vehicle: none such is enrolled");
    }
    const { holder, fromMs, toMs } = ask;
    const fields: BookingFields = {
      booking,
      vehicle: ask.vehicle,
      holder,
      fromMs,
      toMs,
      state: "reserved",
      version: 1,
    };
    checkNewBooking(fields, this.#parts.clock.wallMs());
    try {
      return { record: await this.#put(store, caller, fields, "create", ask.from), created: true };
    } catch (error) {
      const raced = isConflict(error) ? await store.booking(booking) : undefined;
      if (raced === undefined) throw error;
      return { record: sameBooking(raced, ask), created: false };
    }
  }

  /** Ends it now: its `to` becomes this moment. Idempotent. Throws ProtocolError `not_found` or `conflict`. */
  end(caller: Asker, booking: string, from?: string): Promise<BookingRecord> {
    return this.#move(caller, booking, "ended", from);
  }

  /** Only a booking that nobody has opened, by a command or at the car, can be cancelled. Idempotent. Throws as `end` does. */
  cancel(caller: Asker, booking: string, from?: string): Promise<BookingRecord> {
    return this.#move(caller, booking, "cancelled", from);
  }

  /** Another end, earlier or later, in the future. Idempotent. Throws `not_found`, `malformed` or `conflict`. */
  async reschedule(
    caller: Asker,
    booking: string,
    toMs: number,
    from?: string,
  ): Promise<BookingRecord> {
    const store = await this.#store(caller);
    const current = await store.booking(booking);
    if (current === undefined) throw new ProtocolError("not_found", "booking: there is none such");
    if (current.toMs === toMs) return current;
    checkNewEnd(current, toMs, this.#parts.clock.wallMs());
    const { mac: _, ...fields } = current;
    const next = { ...fields, toMs, version: current.version + 1 };
    return this.#put(store, caller, next, "reschedule", from);
  }

  async #move(
    caller: Asker,
    booking: string,
    to: Extract<BookingState, "ended" | "cancelled">,
    from: string | undefined,
  ): Promise<BookingRecord> {
    const store = await this.#store(caller);
    const current = await store.booking(booking);
    if (current === undefined) throw new ProtocolError("not_found", "booking: there is none such");
    if (current.state === to) return current;
    if (!CALLER_MOVES.some((row) => row.from === current.state && row.to === to)) {
      throw new ProtocolError("conflict", `booking: is ${current.state}, cannot be ${to}`);
    }
    if (to === "cancelled") await checkUnopened(store, current);
    const { mac: _, ...fields } = current;
    const nowMs = this.#parts.clock.wallMs();
    if (to === "ended" && nowMs < current.fromMs) {
      throw new ProtocolError("conflict", "booking: has not begun; cancel it instead");
    }
    const next: BookingFields = {
      ...fields,
      state: to,
      version: current.version + 1,
      toMs: to === "ended" ? nowMs : current.toMs,
    };
    try {
      return await this.#put(store, caller, next, to === "ended" ? "end" : "cancel", from);
    } catch (error) {
      const raced = isConflict(error) ? await store.booking(booking) : undefined;
      if (raced?.state !== to) throw error;
      return raced;
    }
  }

  async #put(
    store: TenantStore,
    caller: Asker,
    fields: BookingFields,
    verb: "create" | "end" | "cancel" | "reschedule",
    from: string | undefined,
  ): Promise<BookingRecord> {
    const mac = await this.#parts.signer.sealBooking(caller.token, fields, caller.proof);
    const record: BookingRecord = { ...fields, mac };
    await store.putBooking(record, {
      actor: caller.subject,
      action: `booking.${verb}`,
      subject: `booking:${fields.booking}`,
      outcome: "done",
      ...(from === undefined ? {} : { from }),
    });
    await this.#parts.changed?.(caller.tenant, record);
    return record;
  }

  async #store(caller: Asker): Promise<TenantStore> {
    const tenant = await this.#parts.tenant(caller.tenant);
    if (tenant === undefined) throw new ProtocolError("not_found", "tenant: there is none such");
    return tenant.store;
  }
}

/** Throws ProtocolError `conflict` where the car has said that this rental is under way. */
async function checkUnopened(store: TenantStore, record: BookingRecord): Promise<void> {
  const rental = (await rentalsOf(store, [record])).get(record.booking);
  if (rental?.state !== "open") return;
  const how = rental.by === undefined ? "" : `, by ${rental.by}`;
  throw new ProtocolError(
    "conflict",
    `booking: its rental was opened at the car${how}; end or terminate it instead`,
  );
}

function isConflict(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === "conflict";
}

/** Throws ProtocolError `conflict` where the key had been used to ask for something else. */
function sameBooking(record: BookingRecord, ask: BookingAsk): BookingRecord {
  const same =
    record.vehicle === ask.vehicle &&
    record.holder === ask.holder &&
    record.fromMs === ask.fromMs &&
    // Its end may have been moved since.
    (record.version > 1 || record.toMs === ask.toMs);
  if (!same) throw new ProtocolError("conflict", "Idempotency-Key: was used for another booking");
  return record;
}
