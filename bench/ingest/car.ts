/** Cars that have their messages ready: what they cost to make is not ingest's to pay. */
import {
  type Address,
  type CarEvent,
  encodeColumns,
  encodeEvent,
  headerHash,
  type Lane,
  type LogOpening,
  randomBytes,
  ratchetNext,
  ratchetStart,
  type SegmentHeader,
  type SigningKey,
  type SourceMessage,
  seal,
  sealColumns,
  segmentKeyOf,
  sha256,
  shortenSegmentMessage,
  signHeader,
  signingKey,
  signOpening,
  ZERO_HASH,
} from "@kerbside/protocol";

export class BenchCar {
  readonly key: SigningKey;
  readonly address: Address;
  readonly #lane: Lane;
  readonly #opening: LogOpening;
  #ratchet: Uint8Array;
  #end = { number: 0, seq: 0, hash: ZERO_HASH };

  constructor(
    address: Address,
    lane: Lane,
    ingestKey: Uint8Array,
    key: SigningKey = signingKey(randomBytes(32)),
  ) {
    this.key = key;
    this.address = address;
    this.#lane = lane;
    const log = randomBytes(16);
    const root = randomBytes(32);
    this.#ratchet = ratchetStart(root, { ...address, log }, lane);
    this.#opening = {
      ...address,
      log,
      previousEndedCleanly: true,
      ingestKeyVersion: 1,
      sealedRoot: seal(root, ingestKey),
      agentVersion: "bench",
    };
  }

  /** The next segment as a car sends it; the opening goes with the first. */
  segment(events: readonly CarEvent[]): SourceMessage {
    const { number, seq, hash } = this.#end;
    const place = {
      log: this.#opening.log,
      lane: this.#lane,
      number: number + 1,
      firstSeq: seq + 1,
      count: events.length,
    };
    const columns = encodeColumns(events.map((event) => encodeEvent(event)));
    const body = sealColumns(segmentKeyOf(this.#ratchet), place, columns);
    const fields: SegmentHeader = {
      ...this.address,
      ...place,
      ratchet: number,
      codec: "columns",
      bodyHash: sha256(body),
      previousHash: hash,
    };
    const header = signHeader(this.key, fields);
    this.#ratchet = ratchetNext(this.#ratchet);
    this.#end = { number: number + 1, seq: seq + events.length, hash: headerHash(header) };
    const opening = number === 0 ? { opening: signOpening(this.key, this.#opening) } : {};
    const topic = { ...this.address, channel: "up", lane: this.#lane } as const;
    return { topic, payload: shortenSegmentMessage({ header, body, ...opening }) };
  }
}
