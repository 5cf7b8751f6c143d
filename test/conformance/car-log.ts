/** A car's log as ingest hands it to a store, and the small records that tests of a store need. */
import {
  type AuditEntry,
  type BookingRecord,
  type CarEvent,
  type CommandRecord,
  checkColumns,
  concatBytes,
  type EventQuery,
  encodeColumns,
  encodeEvent,
  type Lane,
  type LogOpening,
  type OpenedSegment,
  randomBytes,
  type SegmentHeader,
  sha256,
  type TenantStore,
  tenantId,
  uint64,
  type VehicleId,
  vehicleId,
  ZERO_HASH,
} from "@kerbside/protocol";
import * as assert from "uvu/assert";
import { freshSeed, randomOf } from "../fuzz/random.ts";

export const TENANT = "demo";
export const CAR: VehicleId = vehicleId("car-1");
export const AUDIT: AuditEntry = {
  actor: "tester",
  action: "test",
  subject: "nothing",
  outcome: "done",
};
export const OTHER_CAR = vehicleId("car-2");

/** A log that a car writes: segments with a true chain of headers, as ingest hands them over. */
export class CarLog {
  readonly log: Uint8Array = randomBytes(16);
  readonly #last = new Map<Lane, { number: number; seq: number; hash: Uint8Array }>();
  readonly vehicle: VehicleId;
  readonly wallOffsetMs: number;

  constructor(vehicle: VehicleId = CAR, wallOffsetMs = 1_790_000_000_000) {
    this.vehicle = vehicle;
    this.wallOffsetMs = wallOffsetMs;
  }

  opening(previous?: CarLog): LogOpening {
    return {
      tenant: tenantId(TENANT),
      vehicle: this.vehicle,
      log: this.log,
      ...(previous === undefined ? {} : { previousLog: previous.log }),
      previousEndedCleanly: true,
      ingestKeyVersion: 1,
      sealedRoot: new Uint8Array(80),
      agentVersion: "1.0.0",
    };
  }

  header(lane: Lane, count: number): SegmentHeader {
    const last = this.#last.get(lane) ?? { number: 0, seq: 0, hash: ZERO_HASH };
    return {
      tenant: tenantId(TENANT),
      vehicle: this.vehicle,
      log: this.log,
      lane,
      number: last.number + 1,
      firstSeq: last.seq + 1,
      count,
      ratchet: last.number,
      codec: "rows",
      bodyHash: randomBytes(32),
      previousHash: last.hash,
    };
  }

  /** The next segment of a lane. */
  next(lane: Lane, events: readonly CarEvent[]): OpenedSegment {
    return this.#close({ header: this.header(lane, events.length), events });
  }

  /** The next segment, declared as gone. */
  gone(lane: Lane, count: number): OpenedSegment {
    const header: SegmentHeader = { ...this.header(lane, count), codec: "gap" };
    return this.#close({ header, events: [] });
  }

  #close(open: Pick<OpenedSegment, "header" | "events">): OpenedSegment {
    const { header } = open;
    const headerHash = hashOf(header);
    const seq = header.firstSeq + header.count - 1;
    this.#last.set(header.lane, { number: header.number, seq, hash: headerHash });
    return { ...open, headerHash };
  }

  position(bootMs: number, latitude = 52.5): CarEvent {
    const data = { latitude, longitude: 13.4, speedKmh: 30 };
    return { kind: "position.sampled", data, ...this.#time(bootMs) };
  }

  note(bootMs: number, note: string): CarEvent {
    return { kind: "diagnostic.note", data: { note }, ...this.#time(bootMs) };
  }

  #time(bootMs: number): Pick<CarEvent, "bootMs" | "wallOffsetMs" | "doubtMs"> {
    return { bootMs, wallOffsetMs: this.wallOffsetMs, doubtMs: 5 };
  }
}

/** The gap that a car puts in the place of a segment which it had to drop. */
export function droppedOf({ header, headerHash }: OpenedSegment): OpenedSegment {
  const bodyHash = sha256(new Uint8Array());
  const gap: SegmentHeader = { ...header, codec: "gap", bodyHash, replaces: headerHash };
  return { header: gap, headerHash: hashOf(gap), events: [] };
}

function hashOf(header: SegmentHeader): Uint8Array {
  return new Uint8Array(sha256(concatBytes(header.bodyHash, uint64(header.number))));
}

/** The same number again with other content, as a clone of the car would sign it. */
export function forkOf(segment: OpenedSegment): OpenedSegment {
  const header = { ...segment.header, bodyHash: randomBytes(32) };
  return { ...segment, header, headerHash: hashOf(header) };
}

/** The same segment as ingest hands it over where its events came as columns. */
export function inColumns({ events, ...segment }: OpenedSegment): OpenedSegment {
  const body = encodeColumns(events.map((event) => encodeEvent(event)));
  return { ...segment, events: [], columns: checkColumns(body, events.length) };
}

export async function allEvents(
  store: TenantStore,
  query: Omit<EventQuery, "limit" | "after"> = {},
  limit = 1000,
): Promise<readonly string[]> {
  const seen: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await store.events({ ...query, limit, ...(after === undefined ? {} : { after }) });
    assert.ok(page.items.length <= limit, "a page is no longer than asked");
    for (const item of page.items) {
      const where = `${item.vehicle} ${item.log} ${item.lane}`;
      seen.push("gap" in item ? `${where} gap ${item.gap.join("-")}` : `${where} ${item.seq}`);
    }
    if (page.next === undefined) return seen;
    after = page.next;
  }
}

export function booking(id: string, version: number, more: Partial<BookingRecord> = {}) {
  return {
    booking: id,
    vehicle: CAR,
    holder: "person-17",
    fromMs: 1000,
    toMs: 2000,
    state: "reserved",
    version,
    mac: new Uint8Array(32),
    ...more,
  } satisfies BookingRecord;
}

export function command(id: number, more: Partial<CommandRecord> = {}): CommandRecord {
  return {
    id: id.toString(16).padStart(32, "0"),
    vehicle: CAR,
    action: "unlock",
    requestedBy: "backend",
    idempotencyKey: `key-${id}`,
    requestDigest: "aa",
    state: "accepted",
    steps: [{ state: "accepted", atMs: 1 }],
    deadlineMs: 20_000,
    ...more,
  };
}

/** Asserts that a promise is refused with this code. */
export async function refuses(code: string, promise: Promise<unknown>, why = code): Promise<void> {
  try {
    await promise;
  } catch (error) {
    assert.is(error instanceof Error && "code" in error ? error.code : String(error), code, why);
    return;
  }
  assert.unreachable(`expected ${code}: ${why}`);
}

/** In an order that the printed seed gives again. */
export function shuffled<T>(what: string, items: readonly T[], seed: number = freshSeed()): T[] {
  process.stdout.write(`${what}: seed ${seed}\n`);
  const random = randomOf(seed);
  const out = [...items];
  for (let i = out.length - 1; i > 0; i -= 1) {
    const j = random.int(i + 1);
    const [a, b] = [out[i], out[j]];
    if (a !== undefined && b !== undefined) [out[i], out[j]] = [b, a];
  }
  return out;
}
