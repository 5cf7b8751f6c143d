/** How a booking stands, in words: by the cloud's record, and by the car's own word where a card or a phone did it. Pure. */
import type { Booking } from "./types.ts";
import type { Word } from "./words/en.ts";

const STATES = {
  reserved: "reserved",
  open: "opened",
  ended: "ended",
  cancelled: "cancelled",
} as const satisfies Record<Booking["state"], Word>;
const BY = {
  card: "openedByCard",
  phone: "openedByPhone",
  command: "openedByCommand",
} as const satisfies Record<string, Word>;

type Standing = Pick<Booking, "state"> & { readonly rental?: Booking["rental"] | undefined };

/** A rental is under way although no command has opened its booking, or none has ended it. */
export function isUnderWay({ state, rental }: Standing): boolean {
  return state === "open" || rental?.state === "open";
}

/** One after the other. */
export function standing({ state, rental }: Standing): readonly Word[] {
  if (state === "open" || rental === undefined) return [STATES[state]];
  if (rental.state === "ended") return state === "reserved" ? ["returned"] : [STATES[state]];
  const by = rental.by === undefined ? [] : [BY[rental.by]];
  return state === "reserved" ? ["underWay", ...by] : [STATES[state], "underWay", ...by];
}
