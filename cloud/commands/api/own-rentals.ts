/**
 * When a car was whose, by the car's own word of its rentals where it has said any, and else by the bookings: what it
 * reports before and after is of others (P-40). A card or a phone opens a rental without any command, and then the
 * booking's state says nothing of it (docs/decisions/0174).
 */
import {
  type BookingRecord,
  type EventKind,
  RENTAL_OPENERS,
  type StoredEvent,
  type TenantStore,
} from "@kerbside/protocol";

const KINDS: readonly EventKind[] = ["rental.started", "rental.ended"];
/** Words of a car that are looked at from a booking's beginning on: one rental at a time, so its own come early. */
const WORDS_MAX = 200;
/** What a car's clock may be off, and what unlocking takes before the rental is told of. */
const EARLY_MS = 10_000;

/** As the car told of it; what is missing it has not said, or it did not come in. */
export type OwnRental = {
  readonly by?: (typeof RENTAL_OPENERS)[number];
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
};
export type OwnTime = {
  /** Unix time, inclusive. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly rental?: OwnRental;
};
type Word = {
  readonly isStart: boolean;
  readonly booking: string;
  readonly by: unknown;
  readonly atMs: number;
};
type Booked = Pick<BookingRecord, "booking" | "vehicle" | "holder" | "fromMs" | "toMs" | "state">;

/** Undefined where the car never was theirs. */
export async function ownTime(
  store: Pick<TenantStore, "events" | "bookings">,
  mine: Booked,
  nowMs: number,
): Promise<OwnTime | undefined> {
  const { vehicle, fromMs } = mine;
  const { items } = await store.events({
    ...{ vehicle, kinds: KINDS, fromMs: fromMs - EARLY_MS, limit: WORDS_MAX },
  });
  const words = items
    .flatMap((item) => ("gap" in item ? [] : wordOf(item)))
    .sort((a, b) => a.atMs - b.atMs);
  return byTheCar(words, mine, nowMs) ?? (await byTheBookings(store, mine, nowMs));
}

/** Nothing where the key of the car has been destroyed. */
function wordOf({ kind, data, atMs }: StoredEvent): readonly Word[] {
  if (typeof data !== "object" || data === null) return [];
  const { booking, openedBy: by } = data as { readonly [name: string]: unknown };
  return typeof booking === "string"
    ? [{ isStart: kind === "rental.started", booking, by, atMs }]
    : [];
}

/** The newest words of this booking that no other rental's stand between. Pure. */
function byTheCar(words: readonly Word[], mine: Booked, nowMs: number): OwnTime | undefined {
  const last = words.findLastIndex(({ booking }) => booking === mine.booking);
  if (last < 0) return undefined;
  const first = words.findLastIndex(({ booking }, i) => i < last && booking !== mine.booking) + 1;
  const own = words.slice(first, last + 1);
  const start = own.find(({ isStart }) => isStart);
  const end = own.at(-1);
  const endedAtMs = end?.isStart === false ? end.atMs : undefined;
  const openMs = mine.state === "ended" ? Math.max(mine.toMs, start?.atMs ?? 0) : nowMs;
  const by = RENTAL_OPENERS.find((one) => one === start?.by);
  return {
    fromMs: Math.max((start?.atMs ?? mine.fromMs) - EARLY_MS, words[first - 1]?.atMs ?? 0),
    toMs: endedAtMs ?? words[last + 1]?.atMs ?? openMs,
    rental: {
      ...(by === undefined ? {} : { by }),
      ...(start === undefined ? {} : { startedAtMs: start.atMs }),
      ...(endedAtMs === undefined ? {} : { endedAtMs }),
    },
  };
}

/**
 * Not before whoever had it until then had given it back, and not at all while they still have it. Of bookings that
 * overlap, the one that began first comes first.
 */
async function byTheBookings(
  store: Pick<TenantStore, "bookings">,
  mine: Booked,
  nowMs: number,
): Promise<OwnTime | undefined> {
  if (mine.state === "reserved" || mine.state === "cancelled") return undefined;
  const before = (await store.bookings(mine.vehicle)).filter(
    ({ booking, holder, fromMs, state }) =>
      holder !== mine.holder &&
      (state === "open" || state === "ended") &&
      (fromMs < mine.fromMs || (fromMs === mine.fromMs && booking < mine.booking)),
  );
  const ends = before.map(({ state, toMs }) => (state === "open" ? Number.MAX_SAFE_INTEGER : toMs));
  const fromMs = Math.max(mine.fromMs, ...ends);
  // One that is open has no end yet.
  const toMs = mine.state === "open" ? nowMs : mine.toMs;
  return fromMs > toMs ? undefined : { fromMs, toMs };
}
