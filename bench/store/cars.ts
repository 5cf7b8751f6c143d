/** A tenant's store with a fleet in it: a month of state events of some cars, and the newest state of thousands. */
import {
  type AuditEntry,
  type CarEvent,
  encodeCbor,
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

/** Of its state lane, evenly over the month. */
export function stateEvent(index: number, of: number): CarEvent {
  const at = { bootMs: Math.floor((index * MONTH_MS) / of), wallOffsetMs: START_MS, doubtMs: 5 };
  const place = { latitude: 52 + (index % 997) / 1000, longitude: 13 + (index % 991) / 1000 };
  return { kind: "position.sampled", data: { ...place, speedKmh: index % 120 }, ...at };
}

function segment(
  tenant: TenantId,
  at: { readonly vehicle: VehicleId; readonly log: Uint8Array; readonly number: number },
  previousHash: Uint8Array,
  events: readonly CarEvent[],
): OpenedSegment {
  const { number } = at;
  const header: OpenedSegment["header"] = {
    tenant,
    ...at,
    lane: "state",
    firstSeq: (number - 1) * EVENTS_A_SEGMENT + 1,
    count: events.length,
    ratchet: number - 1,
    codec: "rows",
    bodyHash: ZERO_HASH,
    previousHash,
  };
  return { header, headerHash: sha256(encodeCbor([at.log, number])), events };
}

/** `each` events of a month for each car. */
export async function fillMonths(
  store: SqliteTenantStore,
  cars: number,
  each: number,
): Promise<void> {
  for (let car = 0; car < cars; car += 1) {
    const log = randomBytes(16);
    let hash: Uint8Array = ZERO_HASH;
    const batch: OpenedSegment[] = [];
    for (let number = 1; number <= each / EVENTS_A_SEGMENT; number += 1) {
      const from = (number - 1) * EVENTS_A_SEGMENT;
      const events = Array.from({ length: EVENTS_A_SEGMENT }, (_, i) => stateEvent(from + i, each));
      const next = segment(store.tenant, { vehicle: carName(car), log, number }, hash, events);
      hash = next.headerHash;
      batch.push(next);
      if (batch.length === SEGMENTS_AT_ONCE) await store.commitSegments(batch.splice(0));
    }
    if (batch.length > 0) await store.commitSegments(batch);
  }
}

/** One event of each of five kinds for each car. */
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
      const place = { vehicle: carName(car), log: randomBytes(16), number: 1 };
      batch.push(segment(store.tenant, place, ZERO_HASH, events));
    }
    await store.commitSegments(batch);
  }
}
