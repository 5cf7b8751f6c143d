/**
 * Who may ask for what, and when a booking allows it. Pure tables and functions: the API asks them first, the
 * signer asks them again with records it has verified itself. What no row allows is refused.
 */
import {
  type Action,
  type BookingRecord,
  type BookingState,
  ProtocolError,
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

/** The actions that can be asked for over the API so far. */
export type AskableAction = Extract<Action, "lock" | "unlock">;
export const ASKABLE_ACTIONS: readonly AskableAction[] = ["lock", "unlock"];

type ActRow = {
  readonly scope: string;
  readonly action: AskableAction;
  readonly booking: "needed" | "optional";
};
/** Scope × action × whether a booking is needed. A caller needs one row that fits. */
export const ACT_TABLE: readonly ActRow[] = [
  { scope: "commands:write", action: "lock", booking: "needed" },
  { scope: "commands:write", action: "unlock", booking: "needed" },
  // The operator's own staff: relocation, cleaning, a car left open. Audited like everything else.
  { scope: "commands:operate", action: "lock", booking: "optional" },
  { scope: "commands:operate", action: "unlock", booking: "optional" },
];

/** Throws ProtocolError `forbidden` unless a row of the table lets these scopes ask for this. */
export function checkScopes(
  scopes: ReadonlySet<string>,
  action: AskableAction,
  hasBooking: boolean,
): void {
  const rows = ACT_TABLE.filter((row) => row.action === action && scopes.has(row.scope));
  if (rows.length === 0) {
    throw new ProtocolError("forbidden", `${action}: the token has no scope for it`);
  }
  if (!hasBooking && rows.every((row) => row.booking === "needed")) {
    throw new ProtocolError("forbidden", `${action}: name the booking it is for`);
  }
}

type WindowRow = {
  readonly action: AskableAction;
  readonly state: BookingState;
  readonly within: (booking: BookingRecord, nowMs: number) => boolean;
};
const inWindow = (b: BookingRecord, nowMs: number): boolean => nowMs >= b.fromMs && nowMs < b.toMs;
/**
 * When a booking allows an action. An open rental can always be locked, however late it is; the lock of an ended
 * one only for a while, so that a forgotten door can be closed and nothing more.
 */
const WINDOW_TABLE: readonly WindowRow[] = [
  { action: "unlock", state: "reserved", within: inWindow },
  { action: "unlock", state: "open", within: inWindow },
  { action: "lock", state: "reserved", within: inWindow },
  { action: "lock", state: "open", within: () => true },
  {
    action: "lock",
    state: "ended",
    within: (b, nowMs) => nowMs < b.toMs + LOCK_AFTER_END_MS_MAX,
  },
];

/** Throws ProtocolError `forbidden`, saying what was expected, unless the booking covers vehicle, time and action. */
export function checkBooking(
  booking: BookingRecord,
  asked: { readonly vehicle: VehicleId; readonly action: AskableAction; readonly nowMs: number },
): void {
  const { vehicle, action, nowMs } = asked;
  if (booking.vehicle !== vehicle) {
    throw new ProtocolError("forbidden", "booking: expected one of this vehicle");
  }
  const rows = WINDOW_TABLE.filter((row) => row.action === action && row.state === booking.state);
  if (rows.length === 0) {
    throw new ProtocolError("forbidden", `booking: is ${booking.state}, which allows no ${action}`);
  }
  if (!rows.some((row) => row.within(booking, nowMs))) {
    throw new ProtocolError("forbidden", `booking: does not allow ${action} at this time`);
  }
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

/** Throws ProtocolError `conflict` unless `next` follows `current` by a row of CALLER_MOVES and changes nothing else. */
export function checkBookingMove(current: BookingRecord, next: BookingFields, nowMs: number): void {
  const moved = CALLER_MOVES.some((row) => row.from === current.state && row.to === next.state);
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
      : next.toMs === current.toMs;
  if (!same || !timesFit) {
    throw new ProtocolError("conflict", "booking: has changed meanwhile");
  }
}
