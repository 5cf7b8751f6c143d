/**
 * The far end of a car's buffer, as small as it can be: verifies, opens and keeps segments exactly once, checks the
 * chain, and answers with acknowledgements. It shares nothing with the real ingest, so that the two check each other.
 */
import {
  type Ack,
  ackKeyOf,
  aeadOpen,
  type CarEvent,
  decodeColumns,
  decodeEvent,
  decodeRows,
  equalBytes,
  headerHash,
  keyIdOf,
  type Lane,
  openColumns,
  openHeader,
  openOpening,
  parseSegmentMessage,
  ratchetNext,
  ratchetStart,
  rowBinding,
  rowKeyOf,
  rowNonce,
  type SegmentHeader,
  type SigningKey,
  sealAck,
  sealKeyPair,
  segmentKeyOf,
  sha256,
  signingKey,
  tenantId,
  toHex,
  unseal,
  type VerifyKey,
  vehicleId,
  verifyKey,
  ZERO_HASH,
} from "@kerbside/protocol";

export const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };

export type Stored = {
  readonly header: SegmentHeader;
  readonly hash: Uint8Array;
  readonly events: readonly CarEvent[];
};
export type CarCloud = {
  /** Of the car's signing key. */
  readonly seed: Uint8Array;
  readonly signingKey: SigningKey;
  readonly ingestKey: { readonly version: number; readonly publicKey: Uint8Array };
  /** Stores a message from `up`; throws where it does not verify. Says whether it was new. */
  readonly take: (message: Uint8Array) => "stored" | "duplicate" | "fork";
  /** The acknowledgement of all that is stored of the log (hexadecimal). */
  readonly ackOf: (log: string, change?: (ack: Ack) => Ack) => Uint8Array;
  readonly logs: () => readonly string[];
  /** Segments of a lane of a log by number. */
  readonly lane: (log: string, lane: Lane) => ReadonlyMap<number, Stored>;
  /** Every event's data by `log/lane/seq`; throws on a number seen twice. */
  readonly events: () => ReadonlyMap<string, CarEvent>;
  /** Throws where a chain is broken or a lane's numbers are not contiguous from 1. */
  readonly checkChains: () => void;
  /** The same ingest key for a car with another signing key. */
  readonly withKey: (key: SigningKey) => CarCloud;
  readonly openingOf: (log: string) => ReturnType<typeof openOpening>;
};

type LogState = {
  readonly root: Uint8Array;
  readonly id: Uint8Array;
  readonly opening: ReturnType<typeof openOpening>;
  readonly lanes: Map<Lane, Map<number, Stored>>;
};

/** `cryptoReady` must have been awaited. */
export function carCloud(seed: Uint8Array): CarCloud {
  return cloudOf(seed, signingKey(seed), sealKeyPair());
}

type KeyPair = { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };

function cloudOf(seed: Uint8Array, key: SigningKey, ingest: KeyPair): CarCloud {
  const verify = verifyKey(key.publicKey);
  const logs = new Map<string, LogState>();
  const lane = (log: string, name: Lane): Map<number, Stored> => {
    const state = logs.get(log);
    if (state === undefined) throw new Error(`no log ${log}`);
    const found = state.lanes.get(name) ?? new Map<number, Stored>();
    state.lanes.set(name, found);
    return found;
  };
  const take = (message: Uint8Array): "stored" | "duplicate" | "fork" => {
    const {
      header: envelope,
      body,
      opening,
    } = parseSegmentMessage(message, { ...ADDRESS, keyId: keyIdOf(key.publicKey) });
    const header = openHeader(verify, envelope);
    const log = toHex(header.log);
    if (opening !== undefined) learn(logs, verify, opening, ingest);
    const state = logs.get(log);
    if (state === undefined) throw new Error("the root of the log is not known");
    const hash = headerHash(envelope);
    if (!equalBytes(sha256(body), header.bodyHash)) throw new Error("body does not match");
    const events = header.codec === "gap" ? [] : openRows(state, header, body);
    const before = lane(log, header.lane).get(header.number);
    if (before !== undefined) return equalBytes(before.hash, hash) ? "duplicate" : "fork";
    lane(log, header.lane).set(header.number, { header, hash, events });
    return "stored";
  };
  return {
    seed,
    signingKey: key,
    ingestKey: { version: 1, publicKey: ingest.publicKey },
    take,
    withKey: (other) => cloudOf(seed, other, ingest),
    logs: () => [...logs.keys()],
    lane,
    openingOf: (log) => {
      const state = logs.get(log);
      if (state === undefined) throw new Error(`no log ${log}`);
      return state.opening;
    },
    ackOf: (log, change = (ack) => ack) => {
      const state = logs.get(log);
      if (state === undefined) throw new Error(`no log ${log}`);
      return sealAck(ackKeyOf(state.root, { ...ADDRESS, log: state.id }), change(marksOf(state)));
    },
    events: () => eventsOf(logs),
    checkChains: () => {
      for (const [log, state] of logs)
        for (const [name] of state.lanes) checkLane(log, name, lane(log, name));
    },
  };
}

function learn(
  logs: Map<string, LogState>,
  verify: VerifyKey,
  envelope: Uint8Array,
  ingest: KeyPair,
): void {
  const opening = openOpening(verify, envelope);
  const root = unseal(opening.sealedRoot, ingest.publicKey, ingest.privateKey);
  const known = logs.get(toHex(opening.log));
  if (known === undefined)
    logs.set(toHex(opening.log), { root, id: opening.log, opening, lanes: new Map() });
}

function openRows(
  { root, id }: LogState,
  header: SegmentHeader,
  body: Uint8Array,
): readonly CarEvent[] {
  const { lane, ratchet, number, firstSeq, count } = header;
  let step = ratchetStart(root, { ...ADDRESS, log: id }, lane);
  for (let i = 0; i < ratchet; i += 1) step = ratchetNext(step);
  if (header.codec === "columns") {
    return decodeColumns(openColumns(segmentKeyOf(step), header, body), count).map(decodeEvent);
  }
  const key = rowKeyOf(step);
  return decodeRows(body, count).map((row, i) => {
    const place = { log: id, lane, segment: number, seq: firstSeq + i };
    return decodeEvent(aeadOpen(key, rowNonce(place.seq), row, rowBinding(place)));
  });
}

function marksOf({ id, lanes }: LogState): Ack {
  const marks = [...lanes].map(([lane, segments]) => {
    let upTo = 0;
    while (segments.has(upTo + 1)) upTo += 1;
    const beyond = [...segments.keys()].filter((n) => n > upTo).sort((a, b) => a - b);
    const hashOf = (n: number): Uint8Array => segments.get(n)?.hash ?? ZERO_HASH;
    const ranges = beyond.slice(0, 32).map((n) => ({ from: n, to: n, hash: hashOf(n) }));
    return { lane, upTo, hash: hashOf(upTo), ranges };
  });
  return { ...ADDRESS, log: id, lanes: marks };
}

function eventsOf(logs: ReadonlyMap<string, LogState>): Map<string, CarEvent> {
  const out = new Map<string, CarEvent>();
  for (const [log, { lanes }] of logs) {
    for (const [lane, segments] of lanes) {
      for (const { header, events } of segments.values()) {
        for (const [i, event] of events.entries()) {
          const at = `${log}/${lane}/${header.firstSeq + i}`;
          if (out.has(at)) throw new Error(`${at} is there twice`);
          out.set(at, event);
        }
      }
    }
  }
  return out;
}

function checkLane(log: string, lane: Lane, segments: ReadonlyMap<number, Stored>): void {
  let hashes = [ZERO_HASH];
  let seq = 1;
  for (let number = 1; number <= segments.size; number += 1) {
    const stored = segments.get(number);
    const where = `${log} ${lane} ${number}`;
    if (stored === undefined) throw new Error(`${where}: is missing`);
    const { header, hash } = stored;
    if (!hashes.some((h) => equalBytes(h, header.previousHash)))
      throw new Error(`${where}: does not follow the one before`);
    if (header.firstSeq !== seq)
      throw new Error(`${where}: begins at ${header.firstSeq}, not ${seq}`);
    seq += header.count;
    hashes = header.replaces === undefined ? [hash] : [hash, header.replaces];
  }
}
