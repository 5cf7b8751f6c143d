import {
  type Address,
  type Clock,
  cryptoReady,
  type Downlink,
  eventAtMs,
  type Log,
  type LogOpening,
  ProtocolError,
  type SegmentHeader,
  type SourceMessage,
  sha256,
  type TenantId,
  type TenantStore,
  type Tracing,
  toHex,
  unseal,
  upTopicOf,
  type VehicleRecord,
  type VerifyKey,
  verifyKey,
} from "@kerbside/protocol";
import { Acknowledger } from "./acknowledger.ts";
import { Admission } from "./admission.ts";
import { Committer } from "./committer.ts";
import { EventDelay } from "./delay.ts";
import { Held } from "./held.ts";
import { INGEST_LIMITS, type IngestLimits } from "./limits.ts";
import { type LogKeys, logKeys } from "./log-keys.ts";
import { Lru } from "./lru.ts";
import { ingestMetrics } from "./metrics.ts";
import { type Openers, openersHere } from "./opener.ts";
import { privately } from "./privacy.ts";
import { Quarantine, type QuarantineCounts } from "./quarantine.ts";
import { reasonOf } from "./reasons.ts";
import {
  type AuthenticSegment,
  authenticate,
  beginReading,
  type Reading,
  type SegmentContent,
} from "./segment.ts";
import { Turns } from "./turns.ts";

/** What ingest needs of a tenant. */
export type IngestTenant = {
  readonly store: Pick<
    TenantStore,
    "vehicle" | "putOpening" | "opening" | "commitSegments" | "marks" | "quarantine" | "privacy"
  >;
  /** The key pair that logs of this version are sealed to; undefined where the vault has none. */
  readonly ingestKey: (
    version: number,
  ) => Promise<{ readonly publicKey: Uint8Array; readonly privateKey: Uint8Array } | undefined>;
};

export type IngestOptions = {
  /** The same object for the same tenant, as long as it stays. */
  readonly tenant: (tenant: TenantId) => Promise<IngestTenant | undefined>;
  readonly downlink: Downlink;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<IngestLimits>;
  /** Where bodies are opened; left out, on this thread. Closed by who made them, after this. */
  readonly openers?: Openers;
  readonly tracing?: Tracing | undefined;
  /** Shared with whoever else puts messages of cars aside; without it one of its own. */
  readonly quarantine?: Quarantine;
};

/** What became of messages since the start. */
export type IngestCounts = QuarantineCounts & {
  readonly stored: number;
  readonly duplicates: number;
  readonly forks: number;
  /** Authentic and unreadable: in quarantine, and declared as gaps. */
  readonly unreadable: number;
  /** Of no tenant, of a revoked car, or above the bound of waiting. */
  readonly dropped: number;
  /** Stored segments that declare a gap. */
  readonly gaps: number;
  /** Stored with their data. */
  readonly events: number;
  /** Of all messages that came in. */
  readonly bytes: number;
  /** Messages under way now. */
  readonly waiting: number;
  /** Messages that wait for the opening of their log now. */
  readonly held: number;
  /** Of the newest event of the segment stored last, by the car's clocks; 0 before the first. */
  readonly ageMs: number;
};

export type Ingest = {
  /**
   * Takes a message on `up`. Resolves once it needs nothing more: stored, in quarantine, waiting, or refused for good.
   * Rejects with ProtocolError `storage_failed` and the like where it is to be handed over again; then nothing of it
   * was acknowledged.
   */
  readonly handle: (message: SourceMessage) => Promise<void>;
  readonly counts: () => IngestCounts;
  /** All that it measures, in Prometheus' text format (P-42). */
  readonly metrics: () => string;
  /** Waits for what is under way. */
  readonly close: () => Promise<void>;
};

export async function createIngest(options: IngestOptions): Promise<Ingest> {
  await cryptoReady();
  const ingest = new Worker(options);
  return {
    handle: (message) => ingest.handle(message),
    counts: () => ingest.countsNow(),
    metrics: () => ingestMetrics(ingest.countsNow()) + ingest.delay.text(),
    close: () => ingest.close(),
  };
}

type Elsewhere = "waiting" | "held" | keyof QuarantineCounts;
type Counts = { -readonly [K in Exclude<keyof IngestCounts, Elsewhere>]: number };
/** A message with its tenant, and who sent it by the tenant's record. */
type Received = {
  readonly message: SourceMessage;
  readonly tenant: IngestTenant;
};
/** Whether a message is authentic, or why not: a failure that is looked at in its turn. */
type Judged = { readonly segment: AuthenticSegment } | { readonly error: unknown };
type Opened = {
  readonly segment: AuthenticSegment;
  readonly keys: LogKeys;
  /** Or why it cannot be read. */
  readonly reading: Reading | { readonly error: unknown };
};

function judge(message: SourceMessage, key: VerifyKey): Promise<Judged> {
  return authenticate(message, key).then(
    (segment) => ({ segment }),
    (error: unknown) => ({ error }),
  );
}

class Worker {
  readonly counts: Counts = {
    stored: 0,
    duplicates: 0,
    forks: 0,
    unreadable: 0,
    dropped: 0,
    gaps: 0,
    events: 0,
    bytes: 0,
    ageMs: 0,
  };
  readonly delay: EventDelay = new EventDelay();
  readonly #options: IngestOptions;
  readonly #limits: IngestLimits;
  readonly #acks: Acknowledger;
  readonly #held: Held<SourceMessage>;
  readonly #logs: Lru<LogKeys>;
  readonly #verifyKeys: Lru<VerifyKey>;
  readonly #quarantine: Quarantine;
  /** Hashes of headers whose segments are in quarantine: one that is sent again is kept once. */
  readonly #unreadable: Lru<true>;
  readonly #committers = new WeakMap<IngestTenant["store"], Committer>();
  readonly #pending = new Set<Promise<void>>();
  readonly #turns = new Turns();
  /** Bodies are opened side by side, and stored in the order in which their turns came. */
  readonly #storeTurns = new Turns();
  readonly #admission: Admission;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#limits = { ...INGEST_LIMITS, ...options.limits };
    this.#admission = new Admission(this.#limits.tenantUnderWayMax);
    this.#acks = new Acknowledger(options.downlink, options.log, options.clock);
    this.#held = new Held(this.#limits);
    this.#logs = new Lru(this.#limits.logsMax);
    this.#verifyKeys = new Lru(this.#limits.vehiclesMax);
    this.#unreadable = new Lru(this.#limits.logsMax);
    this.#quarantine = options.quarantine ?? new Quarantine({ ...options, limits: this.#limits });
  }

  countsNow(): IngestCounts {
    const now = { waiting: this.#pending.size, held: this.#held.size };
    return { ...this.counts, ...this.#quarantine.counts(), ...now };
  }

  handle(message: SourceMessage): Promise<void> {
    this.counts.bytes += message.payload.length;
    const { tenant, vehicle } = message.topic;
    const done = this.#admission.run(tenant, vehicle, () => this.#handle(message));
    const settled = done.catch(() => undefined);
    this.#pending.add(settled);
    settled.finally(() => this.#pending.delete(settled)).catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    await this.#acks.settled();
  }

  async #handle(message: SourceMessage): Promise<void> {
    const { topic } = message;
    if (topic.channel !== "up") throw new ProtocolError("malformed", "ingest: expected up");
    const tenant = await this.#options.tenant(topic.tenant);
    if (tenant === undefined) return this.#drop(message, "no_such_tenant");
    const record = await tenant.store.vehicle(topic.vehicle);
    if (record === undefined) return this.#drop(message, "no_such_vehicle");
    // What a revoked car sends is not kept either: it may be in a thief's hands, and fill what is bounded.
    if (record.revokedAtMs !== undefined) return this.#drop(message, "revoked");
    const received = { message, tenant };
    // Signatures are checked side by side; what follows goes car by car in the order of arrival.
    const judged = judge(message, this.#keyOf(record));
    const car = `${topic.tenant}.${topic.vehicle}`;
    const opened = await this.#turns.take(car, async () => this.#open(received, await judged));
    if (opened === undefined) return;
    const content = await this.#storeTurns.take(car, () => this.#contentOf(received, opened));
    if (content !== undefined) await this.#store(received, opened, content);
  }

  /** Undefined where the message came to its end: put aside, held, or given up. */
  async #open(received: Received, judged: Judged): Promise<Opened | undefined> {
    if ("error" in judged) {
      await this.#putAside(received, reasonOf(judged.error), sha256(received.message.payload));
      return undefined;
    }
    const { segment } = judged;
    const keys = await this.#keysOf(received, segment);
    if (keys === undefined) return undefined;
    const { openers = openersHere } = this.#options;
    const reading = await beginReading(segment, keys, openers).catch((error: unknown) => ({
      error,
    }));
    return { segment, keys, reading };
  }

  /** Nothing where it cannot be read; undefined where it could not be kept for that either, so that the car keeps it. */
  async #contentOf(
    received: Received,
    { segment, reading }: Opened,
  ): Promise<SegmentContent | undefined> {
    try {
      if ("error" in reading) throw reading.error;
      return await reading.content;
    } catch (error) {
      // Kept whole first, and only then declared as a gap.
      const reason = reasonOf(error);
      const id = toHex(segment.headerHash);
      if (this.#unreadable.get(id) === undefined) {
        if (!(await this.#putAside(received, reason, segment.headerHash, true))) return undefined;
        this.#unreadable.set(id, true);
        this.counts.unreadable += 1;
      }
      return { events: [] };
    }
  }

  #keyOf({ signingKey }: VehicleRecord): VerifyKey {
    const id = toHex(signingKey);
    const known = this.#verifyKeys.get(id);
    if (known !== undefined) return known;
    const key = verifyKey(signingKey);
    this.#verifyKeys.set(id, key);
    return key;
  }

  /** The keys of the segment's log; undefined where the message was held or put aside instead. */
  async #keysOf(received: Received, segment: AuthenticSegment): Promise<LogKeys | undefined> {
    const { message, tenant } = received;
    const { vehicle, log } = segment.header;
    const id = logId(message, log);
    const known = this.#logs.get(id);
    if (segment.opening !== undefined) {
      return this.#openLog(received, segment, segment.opening, known);
    }
    if (known !== undefined) return known;
    const opening = await tenant.store.opening(vehicle, log);
    if (opening !== undefined) return this.#openLog(received, segment, opening, undefined);
    // Another message may have opened the log while the store was asked.
    const meanwhile = this.#logs.get(id);
    if (meanwhile !== undefined) return meanwhile;
    // It is on its way, unless the store has lost it: then the car believes that it is known here.
    this.#acks.ask({ ...addressOf(message), log });
    const gone = this.#held.hold(id, message);
    this.counts.dropped += gone;
    if (gone > 0) this.#options.log.warn("ingest.held_dropped", { ...addressOf(message) });
    return undefined;
  }

  async #openLog(
    received: Received,
    { header, headerHash }: AuthenticSegment,
    opening: LogOpening,
    known: LogKeys | undefined,
  ): Promise<LogKeys | undefined> {
    if (known?.opens(opening) === true) return known;
    const id = logId(received.message, header.log);
    const { store, ingestKey } = received.tenant;
    const pair = await ingestKey(opening.ingestKeyVersion);
    if (pair === undefined) {
      const version = opening.ingestKeyVersion;
      await this.#putAside(received, `opening: no ingest key of version ${version}`, headerHash);
      return undefined;
    }
    let keys: LogKeys;
    try {
      const root = unseal(opening.sealedRoot, pair.publicKey, pair.privateKey);
      keys = logKeys(opening, root, this.#limits.ratchetMax);
      root.fill(0);
      await store.putOpening(opening);
    } catch (error) {
      await this.#putAside(received, reasonOf(error), headerHash);
      return undefined;
    }
    // Another message of this log may have opened it meanwhile, and its ratchets have gone on.
    const meanwhile = this.#logs.get(id);
    if (meanwhile?.opens(opening) === true) return meanwhile;
    this.#logs.set(id, keys);
    for (const waiting of this.#held.take(id)) this.#again(waiting);
    return keys;
  }

  /** A message that had waited. Its source has been told that it was taken over, so a failure leaves it to the car. */
  #again(message: SourceMessage): void {
    this.handle(message).catch((error: unknown) => {
      this.counts.dropped += 1;
      this.#options.log.warn("ingest.held_dropped", {
        ...addressOf(message),
        code: error instanceof ProtocolError ? error.code : "unexpected",
      });
    });
  }

  async #store(
    { tenant: { store } }: Received,
    { segment, keys }: Opened,
    content: SegmentContent,
  ): Promise<void> {
    const { header, headerHash } = segment;
    const kept = await privately(store, header.vehicle, content);
    const outcome = await this.#committer(store).commit({ header, headerHash, ...kept });
    if (outcome === "stored") this.#countStored(header, content);
    else if (outcome === "duplicate") this.counts.duplicates += 1;
    else this.counts.forks += 1;
    const { lane, number } = header;
    if (outcome === "duplicate") this.#acks.stored(store, keys, { lane, number, hash: headerHash });
    else this.#acks.stored(store, keys);
  }

  #countStored({ codec, count, lane }: SegmentHeader, { events, columns }: SegmentContent): void {
    const { counts } = this;
    counts.stored += 1;
    if (codec === "gap") counts.gaps += 1;
    const last = events.at(-1);
    const newestMs = columns?.lastAtMs ?? (last === undefined ? undefined : eventAtMs(last));
    if (newestMs === undefined) return;
    counts.events += count;
    counts.ageMs = Math.max(0, Math.round(this.#options.clock.wallMs() - newestMs));
    this.delay.add(lane, counts.ageMs, count);
  }

  #committer(store: IngestTenant["store"]): Committer {
    const known = this.#committers.get(store);
    if (known !== undefined) return known;
    const made = new Committer(store, this.#limits, this.#options.tracing);
    this.#committers.set(store, made);
    return made;
  }

  /** Puts a message into quarantine, once by its digest; false where it is not kept there. */
  async #putAside(
    { message: { topic, payload }, tenant: { store } }: Received,
    reason: string,
    digest: Uint8Array,
    isOnlyCopy = false,
  ): Promise<boolean> {
    if (topic.lane === undefined) throw new ProtocolError("malformed", "ingest: expected a lane");
    const entry = { reason, topic: upTopicOf(topic, topic.lane), payload, digest, isOnlyCopy };
    return await this.#quarantine.put(store, topic, entry);
  }

  #drop(message: SourceMessage, reason: string): void {
    this.counts.dropped += 1;
    this.#options.log.warn("ingest.dropped", { ...addressOf(message), reason });
  }
}

function addressOf({ topic: { tenant, vehicle } }: SourceMessage): Address {
  return { tenant, vehicle };
}

function logId({ topic: { tenant, vehicle } }: SourceMessage, log: Uint8Array): string {
  return `${tenant}.${vehicle}.${toHex(log)}`;
}
