/** Columns as rows: what a store that keeps each event by itself needs of it, without building the event. */
import { type CborValue, encodeCbor } from "./cbor.ts";
import type { ColumnShape, Columns } from "./columns.ts";
import { ProtocolError } from "./errors.ts";
import { ByteWriter } from "./varint.ts";

/** `data` is the CBOR of the event's data, as the codec of its kind writes it. */
export type ColumnRow = {
  readonly bootMs: number;
  readonly atMs: number;
  /** The number of the kind. */
  readonly kind: number;
  readonly data: Uint8Array;
};

const KIND_KEY = 3;
const DATA_KEY = 4;

/** The pieces of a shape's data: bytes that all events share, and leaves by their place. */
type Piece = Uint8Array | number;
type Layout = { readonly kind: number; readonly pieces: readonly Piece[] };

/** The rows of columns that `checkColumns` has taken, in order. */
export function* columnRows({ times, shapes, indexes }: Columns): Generator<ColumnRow> {
  const [boots = [], offsets = []] = times;
  const layouts = shapes.map(layoutOf);
  const used = shapes.map(() => 0);
  const out = new ByteWriter();
  for (let i = 0; i < indexes.length; i += 1) {
    const index = indexes[i] ?? -1;
    const row = used[index] ?? 0;
    used[index] = row + 1;
    const [shape, layout] = [shapes[index], layouts[index]];
    const kind = shape?.leaves[layout?.kind ?? -1]?.[row];
    if (shape === undefined || layout === undefined || typeof kind !== "number")
      throw new ProtocolError("malformed", "columns: expected a shape with a kind");
    const from = out.length;
    for (const piece of layout.pieces) {
      if (typeof piece !== "number") out.bytes(piece);
      else writeLeaf(out, shape.leaves[piece]?.[row] ?? null);
    }
    const bootMs = boots[i] ?? 0;
    yield { bootMs, atMs: Math.round(bootMs + (offsets[i] ?? 0)), kind, data: out.since(from) };
  }
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

function layoutOf({ value }: ColumnShape): Layout {
  if (!(value instanceof Map)) throw new ProtocolError("malformed", "columns: expected an event");
  let leaf = 0;
  let kind = -1;
  const pieces: Piece[] = [];
  for (const [key, inner] of value) {
    if (key === KIND_KEY) kind = leaf;
    const before = pieces.length;
    leaf = collect(inner, leaf, pieces);
    if (key !== DATA_KEY) pieces.length = before;
  }
  return { kind, pieces };
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
