/**
 * Columns in the packed form, which `columns.ts` tells from the first one by a byte that begins no deflated data.
 * Everything is bits: shapes, texts once each, and numbers as `column-series.ts` writes them.
 */
import { BitReader, readCount, writeCount } from "./bits.ts";
import { type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { readSeries, SeriesWriter, writeSeries } from "./column-series.ts";
import { type ReadShape, readShape, writeShape } from "./column-shapes.ts";
import type { Columns } from "./columns.ts";
import { ProtocolError } from "./errors.ts";

/** In raw deflate a block of the kind 11 (RFC 1951 § 3.2.3), which is an error. */
export const PACKED_FORM = 0x16;
/** Numbers and other values of a body together; those of a segment are far below. */
const VALUES_MAX = 4 * 1024 * 1024;
const LEAVES_MAX = 1024;
const TIMES = 3;

export type ShapeColumns = {
  readonly value: CborValue;
  readonly leaves: readonly (readonly CborValue[])[];
};

/** What was written, and whether deflate may do better: floats and texts are not what this form is for. */
export type Packed = { readonly body: Uint8Array; readonly poor: boolean };
/** So many bytes of texts may be shorter deflated. */
const TEXT_BYTES_POOR = 48;

export function packColumns(
  times: readonly (readonly number[])[],
  indexes: readonly number[],
  shapes: readonly ShapeColumns[],
): Packed {
  const out = new SeriesWriter();
  let poor = false;
  let textBytes = 0;
  const series = (column: readonly number[]): void => {
    poor = !writeSeries(out, column) || poor;
  };
  out.bits(PACKED_FORM, 8);
  for (const column of times) series(column);
  writeCount(out, shapes.length - 1);
  for (const { value } of shapes) writeShape(out, value);
  if (shapes.length > 1) series(indexes);
  for (const { leaves } of shapes) {
    for (const column of leaves) {
      if (column.every((leaf) => typeof leaf === "number")) series(column);
      else {
        const found = distinct(column);
        textBytes += found.bytes;
        writeOthers(out, found.values);
        if (found.values.length > 1) series(found.indexes);
      }
    }
  }
  return { body: out.done(), poor: poor || textBytes > TEXT_BYTES_POOR };
}

type Distinct = {
  readonly values: readonly Uint8Array[];
  readonly indexes: readonly number[];
  readonly bytes: number;
};

/** The different values once, encoded, in the order in which they first occur, and which of them each is. */
export function distinct(column: readonly CborValue[]): Distinct {
  const places = new Map<string, number>();
  const values: Uint8Array[] = [];
  let bytes = 0;
  const indexes = column.map((leaf) => {
    const encoded = encodeCbor(leaf);
    const name = Buffer.from(encoded).toString("latin1");
    const known = places.get(name);
    if (known !== undefined) return known;
    bytes += encoded.length;
    const place = values.push(encoded) - 1;
    places.set(name, place);
    return place;
  });
  return { values, indexes, bytes };
}

function writeOthers(out: SeriesWriter, values: readonly Uint8Array[]): void {
  writeCount(out, values.length - 1);
  for (const value of values) {
    writeCount(out, value.length - 1);
    out.bytes(value);
  }
}

/** Throws ProtocolError `malformed`, in bounded time and memory. */
export function unpackColumns(body: Uint8Array, count: number): Columns {
  const reader = new BitReader(body);
  reader.skip(8);
  const times = Array.from({ length: TIMES }, () => readSeries(reader, count));
  const shapes = readShapes(reader, count);
  const indexes = shapes.length > 1 ? readSeries(reader, count) : new Array<number>(count).fill(0);
  const counts = countsOf(indexes, shapes.length);
  let left = VALUES_MAX;
  const read = shapes.map(({ value, kinds }, shape) => {
    const length = counts[shape] ?? 0;
    left -= length * kinds.length;
    if (left < 0) throw malformed("too many values");
    const leaves = kinds.map((kind) =>
      kind === "number" ? readSeries(reader, length) : readOthers(reader, length),
    );
    return { value, count: length, leaves };
  });
  reader.end();
  return { times, shapes: read, indexes };
}

/** How often each shape is used. Throws ProtocolError `malformed` where one is not, or another is. */
export function countsOf(indexes: readonly number[], shapes: number): readonly number[] {
  const counts = Array.from({ length: shapes }, () => 0);
  for (const index of indexes) counts[index] = (counts[index] ?? Number.NaN) + 1;
  if (counts.length !== shapes || counts.some((n) => !(n > 0)))
    throw malformed("expected each shape to be used, and no other");
  return counts;
}

function readShapes(reader: BitReader, count: number): readonly ReadShape[] {
  const total = readCount(reader) + 1;
  if (total > count) throw malformed("expected a shape for one event at least");
  return Array.from({ length: total }, () => {
    const shape = readShape(reader);
    if (shape.kinds.length > LEAVES_MAX) throw malformed("too many values in an event");
    return shape;
  });
}

function readOthers(reader: BitReader, count: number): readonly CborValue[] {
  const total = readCount(reader) + 1;
  if (total > count) throw malformed("expected no more values than events");
  const values = Array.from({ length: total }, () =>
    decodeCbor(reader.bytes(readCount(reader) + 1)),
  );
  const [only] = values;
  if (total === 1 && only !== undefined) return new Array<CborValue>(count).fill(only);
  return readSeries(reader, count).map((index) => {
    const value = values[index];
    if (value === undefined) throw malformed("expected the index of a value");
    return value;
  });
}

function malformed(what: string): ProtocolError {
  return new ProtocolError("malformed", `columns: ${what}`);
}
