/** A worker over a real tenant store, and a car that can write segments as they should be and as they should not. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createIngest,
  type Ingest,
  type IngestLimits,
  type IngestTenant,
  type Openers,
  openersHere,
} from "@kerbside/ingest";
import {
  type Ack,
  type AuditEntry,
  ackKeyOf,
  aeadSeal,
  type CarEvent,
  type DeclaredGap,
  type Downlink,
  encodeColumns,
  encodeEvent,
  encodeRows,
  encodeSegmentMessage,
  headerHash,
  type Lane,
  type LogOpening,
  type OpenedSegment,
  type OpeningRequest,
  ProtocolError,
  parseAck,
  parseOpeningRequest,
  randomBytes,
  ratchetNext,
  ratchetStart,
  rowBinding,
  rowKeyOf,
  rowNonce,
  type SegmentHeader,
  type SourceMessage,
  type StoredEvent,
  seal,
  sealColumns,
  sealKeyPair,
  segmentKeyOf,
  sha256,
  signHeader,
  signingKey,
  signOpening,
  type TenantId,
  tenantId,
  vehicleId,
  ZERO_HASH,
} from "@kerbside/protocol";
import { openRegistry, type Registry, type SqliteTenantStore } from "@kerbside/tenants";
import { realClock, silentLog } from "../../support/runtime.ts";

export const TENANT = tenantId("demo");
export const AUDIT: AuditEntry = {
  actor: "test",
  action: "test",
  subject: "test",
  outcome: "done",
};

export type World = {
  readonly dir: string;
  readonly store: SqliteTenantStore;
  readonly ingestKey: ReturnType<typeof sealKeyPair>;
  readonly acks: Ack[];
  /** Openings that were asked for. */
  readonly asked: OpeningRequest[];
  /** A worker of its own over the same store; `hook` stands before each commit. */
  readonly worker: (options?: WorkerOptions) => Promise<Ingest>;
  readonly car: (name: string) => Promise<Car>;
  readonly events: (vehicle: string) => Promise<readonly (StoredEvent | DeclaredGap)[]>;
  /** Hands acknowledgements on to a car's buffer too. */
  deliver: ((message: Uint8Array) => unknown) | undefined;
  readonly close: () => Promise<void>;
};
export type WorkerOptions = {
  readonly limits?: Partial<IngestLimits>;
  readonly openers?: Openers;
  readonly hook?: (count: number, segments: readonly OpenedSegment[]) => Promise<void>;
};

export async function makeWorld(withKey?: World["ingestKey"]): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-ingest-"));
  const registry: Registry = await openRegistry({ dir, masterKey: randomBytes(32), create: true });
  await registry.create(TENANT, randomBytes(32), AUDIT, async () => undefined);
  const store = (await registry.tenant(TENANT))?.store;
  if (store === undefined) throw new Error("the tenant was not made");
  const ingestKey = withKey ?? sealKeyPair();
  const acks: Ack[] = [];
  const asked: OpeningRequest[] = [];
  const workers: Ingest[] = [];
  const downlink: Downlink = {
    send: async (_to, _channel, payload) => {
      await world.deliver?.(payload);
      const request = parseOpeningRequest(payload);
      if (request !== undefined) asked.push(request);
      else acks.push(parseAck(payload).ack);
    },
  };
  const world: World = {
    dir,
    store,
    ingestKey,
    acks,
    asked,
    deliver: undefined,
    worker: async ({ limits = {}, openers = openersHere, hook } = {}) => {
      const own: IngestTenant = {
        store: {
          ...store,
          commitSegments: async (segments) => {
            await hook?.(segments.length, segments);
            return store.commitSegments(segments);
          },
        },
        ingestKey: async (version) => (version === 1 ? ingestKey : undefined),
      };
      const tenant = async (id: string): Promise<IngestTenant | undefined> =>
        id === TENANT ? own : undefined;
      const made = await createIngest({
        tenant,
        downlink,
        clock: realClock,
        log: silentLog,
        limits,
        openers,
      });
      workers.push(made);
      return made;
    },
    car: async (name) => {
      const car = new Car(name, ingestKey.publicKey);
      await enrol(store, car);
      return car;
    },
    events: async (vehicle) => {
      const query = { vehicle: vehicleId(vehicle), limit: 1000 };
      return (await store.events(query)).items;
    },
    close: async () => {
      for (const worker of workers) await worker.close();
      await registry.close();
      rmSync(dir, { recursive: true });
    },
  };
  return world;
}

export async function enrol(
  store: SqliteTenantStore,
  car: Pick<Car, "vehicle" | "key">,
  revokedAtMs?: number,
): Promise<void> {
  const record = {
    vehicle: car.vehicle,
    profile: "test",
    signingKey: car.key.publicKey,
    certificateSerial: "00",
    enrolledAtMs: 1,
  };
  await store.putVehicle(revokedAtMs === undefined ? record : { ...record, revokedAtMs }, AUDIT);
}

export function note(text: string, number = 0): CarEvent {
  const kind = "diagnostic.note";
  return { kind, data: { note: text, number }, bootMs: number, wallOffsetMs: 1e12, doubtMs: 0 };
}

export type SegmentChange = {
  readonly header?: Partial<SegmentHeader>;
  /** Already encoded events in place of real ones. */
  readonly rows?: readonly Uint8Array[];
  /** In place of the body that the rows would give. */
  readonly body?: Uint8Array;
  readonly gap?: number;
  readonly withOpening?: boolean;
  /** As a segment that was closed in order: one sealed body in place of rows. */
  readonly columns?: boolean;
};

/** One log of a car; `Car` makes them. */
export class CarLog {
  readonly log: Uint8Array = randomBytes(16);
  readonly root: Uint8Array = randomBytes(32);
  readonly car: Car;
  readonly opening: LogOpening;
  readonly #ends = new Map<Lane, { number: number; seq: number; hash: Uint8Array }>();

  constructor(car: Car, sealedTo: Uint8Array) {
    this.car = car;
    this.opening = {
      tenant: car.tenant,
      vehicle: car.vehicle,
      log: this.log,
      previousEndedCleanly: true,
      ingestKeyVersion: 1,
      sealedRoot: seal(this.root, sealedTo),
      agentVersion: "test",
    };
  }

  get ackKey(): Uint8Array {
    return ackKeyOf(this.root, this.opening);
  }

  /** The next segment of a lane, as a message of a source. */
  segment(lane: Lane, events: readonly CarEvent[], change: SegmentChange = {}): SourceMessage {
    const end = this.#ends.get(lane) ?? { number: 0, seq: 0, hash: ZERO_HASH };
    const { car, log } = this;
    const plain = change.rows ?? events.map((event) => encodeEvent(event));
    const number = change.header?.number ?? end.number + 1;
    const firstSeq = end.seq + 1;
    const ratchet = change.header?.ratchet ?? number - 1;
    const rowKey = this.#rowKey(lane, ratchet);
    const rows = plain.map((row, i) => {
      const seq = firstSeq + i;
      return aeadSeal(rowKey, rowNonce(seq), row, rowBinding({ log, lane, segment: number, seq }));
    });
    const sealed = change.columns === true ? "columns" : "rows";
    const whole =
      change.body ??
      (sealed === "rows"
        ? encodeRows(rows)
        : sealColumns(
            segmentKeyOf(this.#ratchet(lane, ratchet)),
            { lane, number, log, firstSeq, count: rows.length },
            encodeColumns(plain),
          ));
    const body = change.gap === undefined ? whole : new Uint8Array();
    const count = change.gap ?? rows.length;
    const header = signHeader(car.key, {
      tenant: car.tenant,
      vehicle: car.vehicle,
      log,
      lane,
      number,
      firstSeq,
      count,
      ratchet,
      codec: change.gap === undefined ? sealed : "gap",
      bodyHash: sha256(body),
      previousHash: end.hash,
      ...change.header,
    });
    this.#ends.set(lane, { number, seq: end.seq + count, hash: headerHash(header) });
    const withOpening = change.withOpening ?? true;
    const opening = withOpening ? { opening: signOpening(car.key, this.opening) } : {};
    return car.message(lane, encodeSegmentMessage({ header, body, ...opening }));
  }

  #rowKey(lane: Lane, index: number): Uint8Array {
    return rowKeyOf(this.#ratchet(lane, index));
  }

  #ratchet(lane: Lane, index: number): ReturnType<typeof ratchetStart> {
    let ratchet = ratchetStart(this.root, this.opening, lane);
    for (let i = 0; i < index; i += 1) ratchet = ratchetNext(ratchet);
    return ratchet;
  }
}

export class Car {
  readonly tenant: TenantId;
  readonly vehicle: ReturnType<typeof vehicleId>;
  readonly key: ReturnType<typeof signingKey> = signingKey(randomBytes(32));
  readonly #sealTo: Uint8Array;

  constructor(name: string, sealTo: Uint8Array, tenant: TenantId = TENANT) {
    this.tenant = tenant;
    this.vehicle = vehicleId(name);
    this.#sealTo = sealTo;
  }

  newLog(sealTo: Uint8Array = this.#sealTo): CarLog {
    return new CarLog(this, sealTo);
  }

  message(lane: Lane, payload: Uint8Array): SourceMessage {
    const { tenant, vehicle } = this;
    const topic = { tenant, vehicle, channel: "up", lane } as const;
    return { topic, payload, certificate: { tenant, vehicle, serial: "00" } };
  }
}

export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  return error instanceof ProtocolError ? error.code : undefined;
}

export function isGap(item: StoredEvent | DeclaredGap): item is DeclaredGap {
  return "gap" in item;
}

/** `1 a` for an event of that number and note, `gap 2-3` for a gap. */
export function words(items: readonly (StoredEvent | DeclaredGap)[]): readonly string[] {
  return items.map((item) => {
    if (isGap(item)) return `gap ${item.gap.join("-")}`;
    const { note: text } = item.data as { readonly note: string };
    return `${item.seq} ${text}`;
  });
}
