/** A tenant's store with a fleet in it: months of drives of some cars, and the newest state of thousands. */
import {
  type AuditEntry,
  type CarEvent,
  type CheckedColumns,
  checkColumns,
  encodeCbor,
  encodeColumns,
  encodeEvent,
  type OpenedSegment,
  randomBytes,
  sha256,
  type TenantId,
  type VehicleId,
  vehicleId,
  ZERO_HASH,
} from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";

export const MONTH_MS: number = 30 * 86_400_000;
export const START_MS: number = Date.UTC(2026, 9, 1);
export const EVENTS_A_SEGMENT = 100;
const SEGMENTS_AT_ONCE = 200;
export const AUDIT: AuditEntry = {
  actor: "bench",
  action: "bench",
  subject: "bench",
  outcome: "done",
};

export const carName = (car: number): VehicleId => vehicleId(`car-${car}`);

/** As it drives, evenly over each month. */
export function driveEvent(index: number, of: number): CarEvent {
  const at = { bootMs: Math.floor((index * MONTH_MS) / of), wallOffsetMs: START_MS, doubtMs: 5 };
  const place = { latitude: 52 + (index % 997) / 1000, longitude: 13 + (index % 991) / 1000 };
  return { kind: "position.sampled", data: { ...place, speedKmh: index % 120 }, ...at };
}

/** What changes on the way: in turns where it is, which is sealed, and how full it is, which is not. */
export function stateEvent(index: number, of: number): CarEvent {
  const { bootMs, wallOffsetMs, doubtMs } = driveEvent(index, of);
  const at = { bootMs, wallOffsetMs, doubtMs };
  return index % 2 === 0
    ? driveEvent(index, of)
    : { kind: "energy.changed", data: { fuelPercent: 10 + (index % 90) }, ...at };
}

function segment(
  tenant: TenantId,
  at: Pick<OpenedSegment["header"], "vehicle" | "log" | "number" | "lane">,
  previousHash: Uint8Array,
  content: Pick<OpenedSegment, "events" | "columns">,
): OpenedSegment {
  const { number } = at;
  const header: OpenedSegment["header"] = {
    tenant,
    ...at,
    firstSeq: (number - 1) * EVENTS_A_SEGMENT + 1,
    count: content.columns?.count ?? content.events.length,
    ratchet: number - 1,
    codec: "rows",
    bodyHash: ZERO_HASH,
    previousHash,
  };
  return { header, headerHash: sha256(encodeCbor([at.log, number])), ...content };
}

/** What a car drives in some months, as its segments come in. All cars drive the same, each under its own key. */
function driven(months: number, each: number): readonly CheckedColumns[] {
  const segments = (months * each) / EVENTS_A_SEGMENT;
  return Array.from({ length: segments }, (_, number) => {
    const events = Array.from({ length: EVENTS_A_SEGMENT }, (_each, i) =>
      encodeEvent(driveEvent(number * EVENTS_A_SEGMENT + i, each)),
    );
    return checkColumns(encodeColumns(events), events.length);
  });
}

/** The same on the lane whose events are a row each. */
function changed(months: number, each: number): readonly (readonly CarEvent[])[] {
  const segments = (months * each) / EVENTS_A_SEGMENT;
  return Array.from({ length: segments }, (_, number) =>
    Array.from({ length: EVENTS_A_SEGMENT }, (_each, i) =>
      stateEvent(number * EVENTS_A_SEGMENT + i, each),
    ),
  );
}

export type Months = {
  readonly lane: "track" | "state";
  /** The number of the first car. */
  readonly from: number;
  readonly cars: number;
  readonly months: number;
  /** Events a month for each car. */
  readonly each: number;
};
/** Some months of each car, in one log. */
export async function fillMonths(
  store: SqliteTenantStore,
  { lane, from, cars, months, each }: Months,
): Promise<void> {
  const contents =
    lane === "track"
      ? driven(months, each).map((columns) => ({ events: [], columns }))
      : changed(months, each).map((events) => ({ events }));
  for (let car = from; car < from + cars; car += 1) {
    const log = randomBytes(16);
    let hash: Uint8Array = ZERO_HASH;
    const batch: OpenedSegment[] = [];
    for (const [i, content] of contents.entries()) {
      const at = { vehicle: carName(car), log, number: i + 1, lane } as const;
      const next = segment(store.tenant, at, hash, content);
      hash = next.headerHash;
      batch.push(next);
      if (batch.length === SEGMENTS_AT_ONCE) await store.commitSegments(batch.splice(0));
    }
    if (batch.length > 0) await store.commitSegments(batch);
  }
}

/** One event of each of three kinds for each car. */
export async function fillLatest(
  store: SqliteTenantStore,
  from: number,
  to: number,
): Promise<void> {
  const at = { bootMs: 1000, wallOffsetMs: START_MS, doubtMs: 5 };
  const events: readonly CarEvent[] = [
    { kind: "position.sampled", data: { latitude: 52.5, longitude: 13.4, speedKmh: 30 }, ...at },
    { kind: "energy.changed", data: { fuelPercent: 61 }, ...at },
    { kind: "diagnostic.note", data: { note: "n" }, ...at },
  ];
  for (let car = from; car < to; ) {
    const batch: OpenedSegment[] = [];
    for (; car < to && batch.length < SEGMENTS_AT_ONCE; car += 1) {
      const place = {
        vehicle: carName(car),
        log: randomBytes(16),
        number: 1,
        lane: "state",
      } as const;
      batch.push(segment(store.tenant, place, ZERO_HASH, { events }));
    }
    await store.commitSegments(batch);
  }
}
