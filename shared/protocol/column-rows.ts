/** Columns as rows: what a store that keeps each event by itself needs of it, without building the event. */
import { type CborValue, encodeCbor } from "./cbor.ts";
import type { ColumnShape, Columns } from "./columns.ts";
import { ProtocolError } from "./errors.ts";
import { ByteWriter } from "./varint.ts";

/** In the order of the events, a place each. A value for each event would cost more than what is done with it. */
export type ColumnRows = {
  /** Unix time in milliseconds. */
  readonly atMs: Float64Array;
  /** The CBOR of the data of all events, one after another, each as the codec of its kind writes it. */
  readonly data: Uint8Array;
  /** Where each one's ends; it begins where the one before it ends. */
  readonly ends: Uint32Array;
};

/** The data of the event at a place, as it stands there. */
export function rowData({ data, ends }: Pick<ColumnRows, "data" | "ends">, i: number): Uint8Array {
  return data.subarray(i === 0 ? 0 : ends[i - 1], ends[i]);
}

const DATA_KEY = 4;

/** The pieces of a shape's data: bytes that all events share, and leaves by their place. */
type Piece = Uint8Array | number;

/** The rows of columns that `checkColumns` has taken. */
export function columnRows({ times, shapes, indexes }: Columns): ColumnRows {
  const [boots = [], offsets = []] = times;
  const layouts = shapes.map(layoutOf);
  const used = shapes.map(() => 0);
  const out = new ByteWriter();
  const atMs = new Float64Array(indexes.length);
  const ends = new Uint32Array(indexes.length);
  for (let i = 0; i < indexes.length; i += 1) {
    const index = indexes[i] ?? -1;
    const row = used[index] ?? 0;
    used[index] = row + 1;
    const [shape, pieces] = [shapes[index], layouts[index]];
    if (shape === undefined || pieces === undefined)
      throw new ProtocolError("malformed", "columns: expected a shape");
    for (const piece of pieces) {
      if (typeof piece !== "number") out.bytes(piece);
      else writeLeaf(out, shape.leaves[piece]?.[row] ?? null);
    }
    atMs[i] = Math.round((boots[i] ?? 0) + (offsets[i] ?? 0));
    ends[i] = out.length;
  }
  return { atMs, data: out.done(), ends };
}

/** As `encodeCbor` writes it. */
function writeLeaf(out: ByteWriter, value: CborValue): void {
  if (typeof value === "number" && Number.isSafeInteger(value)) {
    if (value >= 0) writeHead(out, 0x00, value);
    else writeHead(out, 0x20, -1 - value);
  } else if (typeof value === "number") out.float64(0xfb, value);
  else if (value === true) out.byte(0xf5);
  else if (value === false) out.byte(0xf4);
  else out.bytes(encodeCbor(value));
}

/** RFC 8949 § 3: the major type in the upper three bits, and a number in the shortest form. */
function writeHead(out: ByteWriter, major: number, value: number): void {
  if (value < 24) out.byte(major | value);
  else if (value < 2 ** 8) {
    out.byte(major | 24);
    out.byte(value);
  } else if (value < 2 ** 16) {
    out.byte(major | 25);
    out.uintBytes(value, 2);
  } else if (value < 2 ** 32) {
    out.byte(major | 26);
    out.uintBytes(value, 4);
  } else {
    out.byte(major | 27);
    out.uintBytes(value, 8);
  }
}

function layoutOf({ value }: ColumnShape): readonly Piece[] {
  if (!(value instanceof Map)) throw new ProtocolError("malformed", "columns: expected an event");
  let leaf = 0;
  const pieces: Piece[] = [];
  for (const [key, inner] of value) {
    const before = pieces.length;
    leaf = collect(inner, leaf, pieces);
    if (key !== DATA_KEY) pieces.length = before;
  }
  return pieces;
}

/** Adds the pieces of a value whose first leaf is `leaf`; answers the leaf after its last. */
function collect(value: CborValue, leaf: number, pieces: Piece[]): number {
  const isList = Array.isArray(value);
  if (!isList && !(value instanceof Map)) {
    pieces.push(leaf);
    return leaf + 1;
  }
  const head = new ByteWriter();
  writeHead(head, isList ? 0x80 : 0xa0, isList ? value.length : value.size);
  pieces.push(head.take());
  let at = leaf;
  for (const [key, inner] of isList ? value.entries() : value.entries()) {
    if (!isList) pieces.push(encodeCbor(key));
    at = collect(inner, at, pieces);
  }
  return at;
}
