/**
 * Who may ask for what, and when a booking allows it. Pure tables and functions: the API asks them first, the
 * signer asks them again with records it has verified itself. What no row allows is refused.
 */
import {
  type Action,
  type BookingRecord,
  type BookingState,
  ProtocolError,
  sha256,
  type TenantId,
  toHex,
  utf8,
  type VehicleId,
} from "@kerbside/protocol";

/** How long after its end a booking still allows to lock the car that was left open. */
export const LOCK_AFTER_END_MS_MAX: number = 15 * 60_000;
/** The longest booking there can be. */
const BOOKING_MS_MAX: number = 366 * 24 * 3_600_000;
/** How far the end written into an ended booking may be from the signer's own clock. */
const END_SKEW_MS_MAX = 60_000;

/** Opaque ids of people. The alphabet has no `@` and no space: no address, no name. */
export const HOLDER_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

type Actor = "backend" | "staff";
/** The scope that each kind of caller needs. */
const ACTOR_SCOPE: Readonly<Record<Actor, string>> = {
  backend: "commands:write",
  // The operator's own people: relocation, cleaning, a car left open. Audited like everything else.
  staff: "commands:operate",
};
type ActRow = {
  /** Whether the backend, for its customers, must name a booking; `never`: it may not ask at all. */
  readonly backend: "needed" | "never";
  readonly staff: "needed" | "optional";
};
/** Action × who asks × whether a booking is needed. */
export const ACT_TABLE: Readonly<Record<Action, ActRow>> = {
  lock: { backend: "needed", staff: "optional" },
  unlock: { backend: "needed", staff: "optional" },
  trunk: { backend: "needed", staff: "optional" },
  find: { backend: "needed", staff: "optional" },
  release: { backend: "needed", staff: "optional" },
  unlock_and_release: { backend: "needed", staff: "optional" },
  lock_and_immobilise: { backend: "needed", staff: "optional" },
  cancel: { backend: "needed", staff: "optional" },
  end_rental: { backend: "needed", staff: "needed" },
  // Nobody is kept from starting a car, nor put out of a rental, on a customer's word.
  immobilise: { backend: "never", staff: "optional" },
  terminate: { backend: "never", staff: "needed" },
};

/** Throws ProtocolError `forbidden` unless a row of the table lets these scopes ask for this. */
export function checkScopes(
  scopes: ReadonlySet<string>,
  action: Action,
  hasBooking: boolean,
): void {
  const row = ACT_TABLE[action];
  const needs = (["backend", "staff"] as const)
    .filter((actor) => scopes.has(ACTOR_SCOPE[actor]))
    .map((actor) => row[actor])
    .filter((need) => need !== "never");
  if (needs.length === 0) {
    throw new ProtocolError("forbidden", `${action}: the token has no scope for it`);
  }
  if (!hasBooking && needs.every((need) => need === "needed")) {
    throw new ProtocolError("forbidden", `${action}: name the booking it is for`);
  }
}

/** What has to find the car standing, and may wait on the car for that by `armMs`. */
export const ARMABLE: ReadonlySet<Action> = new Set<Action>([
  "immobilise",
  "lock_and_immobilise",
  "terminate",
]);

/** Throws ProtocolError `malformed` unless waiting and target belong to this action. */
export function checkExtras(
  action: Action,
  extras: { readonly armMs?: number | undefined; readonly hasTarget: boolean },
): void {
  if (extras.armMs !== undefined && !ARMABLE.has(action)) {
    throw new ProtocolError("malformed", `${action}: does not wait until the car stands`);
  }
  if (extras.hasTarget !== (action === "cancel")) {
    throw new ProtocolError("malformed", `${action}: expected the armed command with cancel only`);
  }
}

type Window = (booking: BookingRecord, nowMs: number) => boolean;
type WindowRow = Readonly<Partial<Record<BookingState, Window>>>;
const inWindow: Window = (b, nowMs) => nowMs >= b.fromMs && nowMs < b.toMs;
const always: Window = () => true;
const afterEnd: Window = (b, nowMs) => nowMs < b.toMs + LOCK_AFTER_END_MS_MAX;
const begun: Window = (b, nowMs) => nowMs >= b.fromMs;
const OPENING: WindowRow = { reserved: inWindow, open: inWindow };
/** An open rental can be shut however late it is; an ended one for a while, so that a forgotten door can be closed. */
const SHUTTING: WindowRow = { reserved: inWindow, open: always, ended: afterEnd };
/** When a booking allows an action. A state that is missing allows nothing. */
const WINDOW_TABLE: Readonly<Record<Action, WindowRow>> = {
  unlock: OPENING,
  trunk: OPENING,
  release: OPENING,
  unlock_and_release: OPENING,
  lock: SHUTTING,
  find: SHUTTING,
  lock_and_immobilise: SHUTTING,
  // The car may know of an opening that the cloud has not heard of, where a card did it without coverage.
  end_rental: { reserved: begun, open: always, ended: afterEnd },
  cancel: { reserved: always, open: always, ended: always, cancelled: always },
  immobilise: { reserved: always, open: always, ended: always, cancelled: always },
  terminate: { reserved: begun, open: always, ended: always, cancelled: begun },
};

/** Throws ProtocolError `forbidden`, saying what was expected, unless the booking covers vehicle, time and action. */
export function checkBooking(
  booking: BookingRecord,
  asked: { readonly vehicle: VehicleId; readonly action: Action; readonly nowMs: number },
): void {
  const { vehicle, action, nowMs } = asked;
  if (booking.vehicle !== vehicle) {
    throw new ProtocolError("forbidden", "booking: expected one of this vehicle");
  }
  const window = WINDOW_TABLE[action][booking.state];
  if (window === undefined) {
    throw new ProtocolError("forbidden", `booking: is ${booking.state}, which allows no ${action}`);
  }
  if (!window(booking, nowMs)) {
    throw new ProtocolError("forbidden", `booking: does not allow ${action} at this time`);
  }
}

/** The actions whose first success opens a reserved booking. */
const OPENING_ACTIONS: ReadonlySet<Action> = new Set<Action>(["unlock", "unlock_and_release"]);

/** The actions whose success ends a booking, however late it is. */
const ENDING_ACTIONS: ReadonlySet<Action> = new Set<Action>(["end_rental", "terminate"]);

/** What a booking becomes by an action that the car says it has carried out; undefined where it stays as it is. */
export function moveByCar(action: Action, state: BookingState): BookingState | undefined {
  if (OPENING_ACTIONS.has(action) && state === "reserved") return "open";
  const alive = state === "reserved" || state === "open";
  return ENDING_ACTIONS.has(action) && alive ? "ended" : undefined;
}

/** Everything of a booking but its MAC. */
export type BookingFields = Omit<BookingRecord, "mac">;

/** The ways a booking may go on a caller's word; `open` comes only with a car's signed answer. */
export const CALLER_MOVES: readonly {
  readonly from: BookingState;
  readonly to: BookingState;
}[] = [
  { from: "reserved", to: "cancelled" },
  { from: "reserved", to: "ended" },
  { from: "open", to: "ended" },
];

/** Throws ProtocolError `malformed` unless it is a new booking as it may be made now. */
export function checkNewBooking(next: BookingFields, nowMs: number): void {
  const lengthMs = next.toMs - next.fromMs;
  if (next.version !== 1 || next.state !== "reserved") {
    throw new ProtocolError("malformed", "booking: a new one is reserved and of version 1");
  }
  if (!(lengthMs > 0 && lengthMs <= BOOKING_MS_MAX)) {
    throw new ProtocolError("malformed", "booking: expected from before to, at most 366 days");
  }
  if (next.toMs <= nowMs) throw new ProtocolError("malformed", "booking: its end lies in the past");
}

/** Throws ProtocolError `conflict` or `malformed` unless a booking in this state may end then instead. */
export function checkNewEnd(
  { state, fromMs }: Pick<BookingFields, "state" | "fromMs">,
  toMs: number,
  nowMs: number,
): void {
  if (state !== "reserved" && state !== "open") {
    throw new ProtocolError("conflict", `booking: is ${state}, its end stays`);
  }
  if (toMs <= nowMs || toMs <= fromMs || toMs - fromMs > BOOKING_MS_MAX) {
    throw new ProtocolError(
      "malformed",
      "booking: expected an end in the future, after its begin, within 366 days of it",
    );
  }
}

/**
 * Throws ProtocolError `conflict` unless `next` follows `current` by a row of CALLER_MOVES, or by another end, and
 * changes nothing else.
 */
export function checkBookingMove(current: BookingRecord, next: BookingFields, nowMs: number): void {
  const stays = next.state === current.state;
  if (stays) checkNewEnd(current, next.toMs, nowMs);
  const moved =
    stays || CALLER_MOVES.some((row) => row.from === current.state && row.to === next.state);
  if (!moved) {
    throw new ProtocolError("conflict", `booking: is ${current.state}, cannot be ${next.state}`);
  }
  const same =
    current.booking === next.booking &&
    current.vehicle === next.vehicle &&
    current.holder === next.holder &&
    current.fromMs === next.fromMs &&
    next.version === current.version + 1;
  const timesFit =
    next.state === "ended"
      ? Math.abs(next.toMs - nowMs) <= END_SKEW_MS_MAX && next.toMs >= next.fromMs
      : stays || next.toMs === current.toMs;
  if (!same || !timesFit) {
    throw new ProtocolError("conflict", "booking: has changed meanwhile");
  }
}

/** The id comes from caller and key, so that asking twice cannot make two, whichever process is asked. */
export function bookingIdOf(tenant: TenantId, subject: string, idempotencyKey: string): string {
  return `b-${toHex(sha256(utf8(JSON.stringify([tenant, subject, idempotencyKey])))).slice(0, 24)}`;
}

/** As `bookingIdOf`, of a grant: 16 bytes. */
export function grantIdOf(tenant: TenantId, subject: string, idempotencyKey: string): Uint8Array {
  return sha256(utf8(JSON.stringify([tenant, subject, "grant", idempotencyKey]))).slice(0, 16);
}
