/**
 * The keys of one log, from its root. A lane's ratchet goes forward only, so places along it are kept: segments come in
 * any order, the newest first after an outage, and none should cost the whole way again.
 */
import {
  ackKeyOf,
  encode,
  equalBytes,
  type Lane,
  type LogOpening,
  openingCodec,
  ProtocolError,
  ratchetNext,
  ratchetStart,
  rowKeyOf,
  segmentKeyOf,
} from "@kerbside/protocol";

/** Every so many steps a place is kept: 32 bytes each, and at most this many steps from it to any other. */
const PLACE_EVERY = 1024;
/** Steps at a stretch before others get their turn: about 2.5 ms. */
const STRETCH = 256;

export type LogKeys = {
  readonly opening: LogOpening;
  readonly ackKey: Uint8Array;
  /** The key of the rows of the segment at this index. Rejects with `limit_reached` beyond `ratchetMax`. */
  readonly rowKey: (lane: Lane, index: number) => Promise<Uint8Array>;
  /** The key of the body of a `columns` segment at this index; as `rowKey`. */
  readonly segmentKey: (lane: Lane, index: number) => Promise<Uint8Array>;
  /** Whether this is the opening that the keys come from. */
  readonly opens: (opening: LogOpening) => boolean;
};

/** `next` is the step from one index to the next; a test counts them. */
export function logKeys(
  opening: LogOpening,
  root: Uint8Array,
  ratchetMax: number,
  next: (ratchet: Uint8Array) => Uint8Array = ratchetNext,
): LogKeys {
  const from = (lane: Lane) => new LaneRatchet(ratchetStart(root, opening, lane), ratchetMax, next);
  const ratchets: Readonly<Record<Lane, LaneRatchet>> = {
    critical: from("critical"),
    state: from("state"),
    track: from("track"),
  };
  const ackKey = ackKeyOf(root, opening);
  const encoded = encode(openingCodec, opening);
  return {
    opening,
    ackKey,
    rowKey: async (lane, index) => rowKeyOf(await ratchets[lane].at(index)),
    segmentKey: async (lane, index) => segmentKeyOf(await ratchets[lane].at(index)),
    opens: (other) => equalBytes(encode(openingCodec, other), encoded),
  };
}

class LaneRatchet {
  readonly #start: Uint8Array;
  /** The ratchet at PLACE_EVERY, 2 × PLACE_EVERY and so on. */
  readonly #places: Uint8Array[] = [];
  readonly #max: number;
  readonly #next: (ratchet: Uint8Array) => Uint8Array;
  /** Where it was last: the next segment is most often the one after. */
  #last: { readonly index: number; readonly ratchet: Uint8Array };

  constructor(start: Uint8Array, max: number, next: (ratchet: Uint8Array) => Uint8Array) {
    this.#start = start;
    this.#max = max;
    this.#next = next;
    this.#last = { index: 0, ratchet: start };
  }

  async at(wanted: number): Promise<Uint8Array> {
    if (wanted > this.#max) {
      throw new ProtocolError("limit_reached", `ratchet: expected an index up to ${this.#max}`);
    }
    let { index, ratchet } = this.#nearest(wanted);
    for (let steps = 1; index < wanted; steps += 1) {
      ratchet = this.#next(ratchet);
      index += 1;
      if (index === (this.#places.length + 1) * PLACE_EVERY) this.#places.push(ratchet);
      if (steps % STRETCH === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#last = { index, ratchet };
    return ratchet;
  }

  #nearest(wanted: number): { readonly index: number; readonly ratchet: Uint8Array } {
    const at = Math.min(Math.floor(wanted / PLACE_EVERY), this.#places.length);
    const index = at * PLACE_EVERY;
    if (this.#last.index <= wanted && this.#last.index >= index) return this.#last;
    return { index, ratchet: this.#places[at - 1] ?? this.#start };
  }
}
