/**
 * What a light car keeps: the agent's segments under the agent's keys, in memory alone. A log of its own, a ratchet a
 * lane, signed headers in a chain; a segment is let go when an acknowledgement with the log's MAC names its hash. It has
 * no disk, so what it holds ends with the process: a fleet shows what clouds do, not what cars survive.
 */
import {
  type Address,
  ackKeyOf,
  type CarEvent,
  encodeColumns,
  encodeEvent,
  equalBytes,
  headerHash,
  LANES,
  type Lane,
  type LaneMark,
  ProtocolError,
  parseAck,
  parseOpeningRequest,
  type Random,
  ratchetNext,
  ratchetStart,
  type SigningKey,
  seal,
  sealColumns,
  segmentKeyOf,
  sha256,
  shortenSegmentMessage,
  signHeader,
  signOpening,
  ZERO_HASH,
} from "@kerbside/protocol";
import type { SegmentStore } from "@kerbside/uplink";

/** Segments held in all; beyond it a car says nothing more until some are acknowledged, and that is counted. */
export const LIGHT_SEGMENTS_MAX = 512;
/** Events of an open segment; it is then closed. */
export const LIGHT_EVENTS_MAX = 512;
const LOG_BYTES = 16;
const ROOT_BYTES = 32;
/** Numbers of segments of the lanes do not meet. */
const KEYS_A_LANE = 1_000_000_000;

type Held = {
  readonly key: number;
  readonly lane: Lane;
  readonly number: number;
  readonly hash: Uint8Array;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** When its events were made, ms. */
  readonly madeMs: readonly number[];
};
type LaneState = {
  ratchet: Uint8Array;
  number: number;
  seq: number;
  hash: Uint8Array;
  open: { readonly bytes: Uint8Array; readonly madeMs: number }[];
  held: Held[];
};

export type LightBufferOptions = {
  readonly address: Address;
  readonly signingKey: SigningKey;
  readonly ingestKey: { readonly version: number; readonly publicKey: Uint8Array };
  readonly agentVersion: string;
  readonly random: Pick<Random, "bytes">;
  readonly nowMs: () => number;
  /** Told of each event that the store has, with how long that took, ms. */
  readonly onStored: (ageMs: number) => void;
};

export class LightBuffer implements SegmentStore {
  readonly #options: LightBufferOptions;
  readonly #log: Uint8Array;
  readonly #ackKey: Uint8Array;
  readonly #opening: Uint8Array;
  readonly #lanes: Readonly<Record<Lane, LaneState>>;
  readonly #listeners = new Set<() => void>();
  #openingKnown = false;
  /** Events that were not taken, for the bound. */
  refused = 0;

  constructor(options: LightBufferOptions) {
    this.#options = options;
    const { address, signingKey, ingestKey, agentVersion, random } = options;
    this.#log = random.bytes(LOG_BYTES);
    const root = random.bytes(ROOT_BYTES);
    const of = { ...address, log: this.#log };
    this.#ackKey = ackKeyOf(root, of);
    this.#opening = signOpening(signingKey, {
      ...of,
      previousEndedCleanly: true,
      ingestKeyVersion: ingestKey.version,
      sealedRoot: seal(root, ingestKey.publicKey),
      agentVersion,
    });
    const lane = (name: Lane): LaneState => ({
      ratchet: ratchetStart(root, of, name),
      number: 0,
      seq: 0,
      hash: ZERO_HASH,
      open: [],
      held: [],
    });
    this.#lanes = { critical: lane("critical"), state: lane("state"), track: lane("track") };
    root.fill(0);
  }

  /** Events that the store has not acknowledged, open ones too. */
  waiting(): number {
    let events = 0;
    for (const name of LANES) {
      const { open, held } = this.#lanes[name];
      events += open.length;
      for (const { madeMs } of held) events += madeMs.length;
    }
    return events;
  }

  append(lane: Lane, event: CarEvent): void {
    const state = this.#lanes[lane];
    if (this.#isFull()) {
      this.refused += 1;
      return;
    }
    state.open.push({ bytes: encodeEvent(event), madeMs: this.#options.nowMs() });
    if (state.open.length >= LIGHT_EVENTS_MAX) this.#close(lane);
  }

  /** Closes the segments that have been open for so long, each lane's own time. */
  closeOlder(thanMs: Readonly<Record<Lane, number>>): void {
    const nowMs = this.#options.nowMs();
    for (const lane of LANES) {
      const [first] = this.#lanes[lane].open;
      if (first !== undefined && nowMs - first.madeMs >= thanMs[lane]) this.#close(lane);
    }
  }

  next({ skip, lanes }: Parameters<SegmentStore["next"]>[0]): ReturnType<SegmentStore["next"]> {
    for (const lane of lanes) {
      const found = this.#lanes[lane].held.find(({ key }) => !skip.has(key));
      if (found === undefined) continue;
      const { key, header, body } = found;
      const opening = this.#openingKnown ? {} : { opening: this.#opening };
      return { key, lane, message: shortenSegmentMessage({ header, body, ...opening }) };
    }
    return undefined;
  }

  acknowledge(message: Uint8Array): ReturnType<SegmentStore["acknowledge"]> {
    try {
      const asked = parseOpeningRequest(message);
      if (asked !== undefined) {
        if (equalBytes(asked.log, this.#log)) this.#openingKnown = false;
        return { kind: "taken", forgotten: [] };
      }
      const { ack, verify } = parseAck(message);
      if (!equalBytes(ack.log, this.#log)) return { kind: "ignored", reason: "no_such_log" };
      if (!verify(this.#ackKey)) return { kind: "ignored", reason: "forged" };
      this.#openingKnown = true;
      const forgotten = ack.lanes.flatMap((mark) => this.#forget(mark));
      return { kind: "taken", forgotten: forgotten.map(({ key }) => key) };
    } catch (error) {
      if (error instanceof ProtocolError) return { kind: "ignored", reason: "malformed" };
      throw error;
    }
  }

  online(): void {}

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #isFull(): boolean {
    return (
      LANES.reduce((sum, lane) => sum + this.#lanes[lane].held.length, 0) >= LIGHT_SEGMENTS_MAX
    );
  }

  #close(lane: Lane): void {
    const { address, signingKey } = this.#options;
    const state = this.#lanes[lane];
    const { open } = state;
    state.open = [];
    const place = {
      log: this.#log,
      lane,
      number: state.number + 1,
      firstSeq: state.seq + 1,
      count: open.length,
    };
    const columns = encodeColumns(open.map(({ bytes }) => bytes));
    const body = sealColumns(segmentKeyOf(state.ratchet), place, columns);
    const header = signHeader(signingKey, {
      ...address,
      ...place,
      ratchet: state.number,
      codec: "columns",
      bodyHash: sha256(body),
      previousHash: state.hash,
    });
    state.ratchet = ratchetNext(state.ratchet);
    state.number += 1;
    state.seq += open.length;
    state.hash = headerHash(header);
    const key = LANES.indexOf(lane) * KEYS_A_LANE + place.number;
    const madeMs = open.map(({ madeMs: at }) => at);
    state.held.push({ key, lane, number: place.number, hash: state.hash, header, body, madeMs });
    for (const listener of this.#listeners) listener();
  }

  /** Lets go of what a mark rightly covers: the hash that it names must be ours. */
  #forget({ lane, upTo, hash, ranges }: LaneMark): readonly Held[] {
    const state = this.#lanes[lane];
    const gone = new Set<Held>();
    for (const range of [{ from: 1, to: upTo, hash }, ...ranges]) {
      const last = state.held.find(({ number }) => number === range.to);
      if (last === undefined || !equalBytes(last.hash, range.hash)) continue;
      for (const held of state.held)
        if (held.number >= range.from && held.number <= range.to) gone.add(held);
    }
    state.held = state.held.filter((held) => !gone.has(held));
    const nowMs = this.#options.nowMs();
    for (const { madeMs } of gone) for (const at of madeMs) this.#options.onStored(nowMs - at);
    return [...gone];
  }
}
