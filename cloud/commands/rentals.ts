/**
 * What a car has said of the rental of a booking, apart from any command: a card or a phone opens and ends rentals at
 * the car, and the signer moves bookings by signed answers to commands alone (docs/decisions/0174). Told from the
 * car's newest events, so of its newest rental, and of the one that ended before it.
 */
import {
  type BookingRecord,
  RENTAL_OPENERS,
  type StoredEvent,
  type TenantStore,
  type VehicleId,
} from "@kerbside/protocol";

/** `by` is missing where the car's newest beginning is not this rental's. */
export type BookingRental = {
  readonly state: "open" | "ended";
  readonly by?: (typeof RENTAL_OPENERS)[number];
  readonly sinceMs: number;
};
/** By booking, of one car. */
export type Rentals = ReadonlyMap<string, BookingRental>;

type Word = { readonly event: StoredEvent; readonly booking: string; readonly by: unknown };

/** Undefined where there is none, and where the key of the car has been destroyed. */
function wordOf(latest: readonly StoredEvent[], kind: StoredEvent["kind"]): Word | undefined {
  const event = latest.find((one) => one.kind === kind);
  const data: unknown = event?.data;
  if (event === undefined || typeof data !== "object" || data === null) return undefined;
  const { booking, openedBy: by } = data as {
    readonly booking?: unknown;
    readonly openedBy?: unknown;
  };
  return typeof booking === "string" ? { event, booking, by } : undefined;
}

/** Within a log by its numbers, across logs by the time. */
function isAfter(a: StoredEvent, b: StoredEvent): boolean {
  return a.log === b.log && a.lane === b.lane ? a.seq > b.seq : a.atMs > b.atMs;
}

/** Of the newest event of each kind of one car. Pure. A car has one rental at a time. */
export function rentalsIn(latest: readonly StoredEvent[]): Rentals {
  const [started, ended] = [wordOf(latest, "rental.started"), wordOf(latest, "rental.ended")];
  const found = new Map<string, BookingRental>();
  const opener = RENTAL_OPENERS.find((one) => one === started?.by);
  const by = opener === undefined ? {} : { by: opener };
  const isOver =
    started !== undefined && ended !== undefined && isAfter(ended.event, started.event);
  if (ended !== undefined) {
    const own = isOver && started.booking === ended.booking ? by : {};
    found.set(ended.booking, { state: "ended", ...own, sinceMs: ended.event.atMs });
  }
  if (started !== undefined && !isOver)
    found.set(started.booking, { state: "open", ...by, sinceMs: started.event.atMs });
  return found;
}

type Latest = Pick<TenantStore, "latestOf">;
type Booked = Pick<BookingRecord, "booking" | "vehicle">;

/** Of each of these bookings, by the newest word of its own car; not in it where nothing is known. */
export async function rentalsOf(store: Latest, bookings: readonly Booked[]): Promise<Rentals> {
  const latest = await store.latestOf([...new Set(bookings.map(({ vehicle }) => vehicle))]);
  const told = new Map<VehicleId, Rentals>();
  for (const [vehicle, events] of latest) told.set(vehicle, rentalsIn(events));
  return new Map(
    bookings.flatMap(({ booking, vehicle }) => {
      const rental = told.get(vehicle)?.get(booking);
      return rental === undefined ? [] : [[booking, rental]];
    }),
  );
}
