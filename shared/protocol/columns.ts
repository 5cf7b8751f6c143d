/**
 * A segment's events as columns: what the encoded events have in common (their shape) is written once, and each value
 * stands with its kind in a column, as differences where that is shorter. It is a form of the encoded events and
 * nothing else: `decodeColumns(encodeColumns(x))` gives the same bytes. Later forms get another number in front.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { readNumbers, writeNumbers } from "./column-numbers.ts";
import { ProtocolError } from "./errors.ts";
import { countsOf, distinct, PACKED_FORM, packColumns, unpackColumns } from "./packed-columns.ts";
import { ByteReader, ByteWriter } from "./varint.ts";

const FORM = 1;
/** What a body may grow to when it is inflated; the events of a segment together are far below. */
const INFLATED_BYTES_MAX = 4 * 1024 * 1024;
const LEAVES_MAX = 1024;
const DEFLATE_LEVEL = 9;
/** Keys of an event's map that are columns over all events: boot time, offset of the wall clock, its doubt. */
const TIME_KEYS = [0, 1, 2] as const;

function malformed(what: string): ProtocolError {
  return new ProtocolError("malformed", `columns: ${what}`);
}

/** In a shape a number leaf is 0, any other leaf null; maps and lists are themselves. */
type Leaf = number | Exclude<CborValue, number>;
type Shape = {
  readonly index: number;
  readonly value: CborValue;
  readonly encoded: Uint8Array;
  readonly leaves: Leaf[][];
};

/** `deflated` was the first form; `shortest` is that or the packed one. */
export type ColumnsForm = "shortest" | "deflated";

/** Encoded events (as `encodeEvent` writes them) to columns. Throws `malformed` for anything else. */
export function encodeColumns(
  events: readonly Uint8Array[],
  form: ColumnsForm = "shortest",
): Uint8Array {
  const encoder = columnsEncoder(form);
  for (const event of events) encoder.add(event);
  return encoder.done();
}

/** `encodeColumns` in steps, for whoever may not be held up by all of it at once. */
export type ColumnsEncoder = {
  /** Takes one more encoded event. Throws `malformed` where it is none. */
  readonly add: (event: Uint8Array) => void;
  /** The body of all that were added. */
  readonly done: () => Uint8Array;
};

export function columnsEncoder(form: ColumnsForm = "shortest"): ColumnsEncoder {
  const shapes = new Map<string, Shape>();
  const times: number[][] = TIME_KEYS.map(() => []);
  const indexes: number[] = [];
  return {
    add: (event) => {
      const value = decodeCbor(event);
      if (!(value instanceof Map)) throw malformed("expected an event");
      const rest = new Map<number | string, CborValue>(value);
      for (const key of TIME_KEYS) {
        const time = value.get(key);
        if (typeof time !== "number") throw malformed("expected the times of an event");
        times[key]?.push(time);
        rest.delete(key);
      }
      const leaves: Leaf[] = [];
      const shaped = shapeOf(rest, leaves);
      const encoded = encodeCbor(shaped);
      const name = Buffer.from(encoded).toString("latin1");
      const shape = shapes.get(name) ?? {
        index: shapes.size,
        value: shaped,
        encoded,
        leaves: leaves.map(() => []),
      };
      shapes.set(name, shape);
      for (const [i, leaf] of leaves.entries()) shape.leaves[i]?.push(leaf);
      indexes.push(shape.index);
    },
    done: () => {
      const found = [...shapes.values()];
      if (form === "deflated") return deflateColumns(times, indexes, found);
      const { body, poor } = packColumns(times, indexes, found);
      if (!poor) return body;
      const deflated = deflateColumns(times, indexes, found);
      return deflated.length < body.length ? deflated : body;
    },
  };
}

function deflateColumns(
  times: readonly number[][],
  indexes: readonly number[],
  shapes: readonly Shape[],
): Uint8Array {
  const out = new ByteWriter();
  out.byte(FORM);
  for (const column of times) writeNumbers(out, column);
  out.varint(shapes.length);
  for (const { encoded } of shapes) {
    out.varint(encoded.length);
    out.bytes(encoded);
  }
  writeNumbers(out, indexes);
  for (const { leaves } of shapes) {
    for (const column of leaves) {
      if (column.every((leaf) => typeof leaf === "number")) writeNumbers(out, column);
      else writeOthers(out, column);
    }
  }
  return deflateRawSync(out.done(), { level: DEFLATE_LEVEL });
}

/** Replaces the leaves of a value, collecting them depth first in the order of the encoding. */
function shapeOf(value: CborValue, leaves: Leaf[]): CborValue {
  if (Array.isArray(value)) return value.map((item: CborValue) => shapeOf(item, leaves));
  if (value instanceof Map) {
    return new Map([...value].map(([key, inner]) => [key, shapeOf(inner, leaves)]));
  }
  leaves.push(value);
  return typeof value === "number" ? 0 : null;
}

/** Texts, bytes, booleans and what else there is: the different ones once, and which of them each is. */
function writeOthers(out: ByteWriter, column: readonly Leaf[]): void {
  const { values, indexes } = distinct(column);
  out.varint(values.length);
  for (const value of values) {
    out.varint(value.length);
    out.bytes(value);
  }
  writeNumbers(out, indexes);
}

/** Columns as they were read: what each shape has in its leaves, and which shape each event has. */
export type Columns = {
  /** Boot times, offsets of the wall clock and doubts of it, one for each event. */
  readonly times: readonly (readonly number[])[];
  readonly shapes: readonly ColumnShape[];
  /** For each event the place of its shape. */
  readonly indexes: readonly number[];
};
export type ColumnShape = {
  /** The event without its times, with 0 or null for each leaf. */
  readonly value: CborValue;
  /** How many events have this shape. */
  readonly count: number;
  /** A column for each leaf in the order of the encoding, with a value for each event of this shape. */
  readonly leaves: readonly (readonly CborValue[])[];
};

/** The encoded events again, `count` of them. Throws ProtocolError `malformed`, in bounded time and memory. */
export function decodeColumns(body: Uint8Array, count: number): readonly Uint8Array[] {
  return eventValues(readColumns(body, count)).map((event) => encodeCbor(event));
}

/** As `decodeColumns`, without putting the events together. */
export function readColumns(body: Uint8Array, count: number): Columns {
  if (body[0] === PACKED_FORM) return unpackColumns(body, count);
  const reader = new ByteReader(inflate(body));
  if (reader.byte() !== FORM) throw malformed("a form that is not known here");
  const times = TIME_KEYS.map(() => readNumbers(reader, count));
  const shapes = readShapes(reader, count);
  const indexes = readNumbers(reader, count);
  const counts = countsOf(indexes, shapes.length);
  const read = shapes.map(({ value, kinds }, shape) => {
    const length = counts[shape] ?? 0;
    const leaves = kinds.map((kind) =>
      kind === "number" ? readNumbers(reader, length) : readOthers(reader, length),
    );
    return { value, count: length, leaves };
  });
  if (!reader.atEnd) throw malformed("expected no more bytes");
  return { times, shapes: read, indexes };
}

/** The events as maps, in order. Throws ProtocolError `malformed`. */
export function eventValues({ times, shapes, indexes }: Columns): readonly EventValue[] {
  const used = shapes.map(() => 0);
  return indexes.map((index, i) => {
    const row = used[index] ?? 0;
    used[index] = row + 1;
    const shape = shapes[index];
    if (shape === undefined) throw malformed("expected a shape");
    const leaves = shape.leaves.map((column) => column[row] ?? null);
    return eventValue(
      shape,
      leaves,
      TIME_KEYS.map((key) => times[key]?.[i] ?? null),
    );
  });
}

export type EventValue = ReadonlyMap<number | string, CborValue>;

/** One event of a shape, with these leaves and times. */
export function eventValue(
  { value }: Pick<ColumnShape, "value">,
  leaves: readonly CborValue[],
  times: readonly CborValue[],
): EventValue {
  const rest = fill(value, leaves[Symbol.iterator]());
  if (!(rest instanceof Map)) throw malformed("expected an event's shape");
  const event = new Map<number | string, CborValue>(rest);
  for (const key of TIME_KEYS) event.set(key, times[key] ?? null);
  return event;
}

function inflate(body: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(body, { maxOutputLength: INFLATED_BYTES_MAX });
  } catch (cause) {
    throw new ProtocolError("malformed", "columns: do not inflate", { cause });
  }
}

type ReadShape = { readonly value: CborValue; readonly kinds: readonly ("number" | "other")[] };

function readShapes(reader: ByteReader, count: number): readonly ReadShape[] {
  const total = reader.varint();
  if (total < 1 || total > count) throw malformed("expected a shape for one event at least");
  let leaves = 0;
  return Array.from({ length: total }, () => {
    const value = decodeCbor(reader.bytes(reader.varint()));
    const kinds: ("number" | "other")[] = [];
    collectKinds(value, kinds);
    leaves += kinds.length;
    if (leaves > LEAVES_MAX * total) throw malformed("too many values in an event");
    return { value, kinds };
  });
}

function collectKinds(value: CborValue, kinds: ("number" | "other")[]): void {
  if (Array.isArray(value)) for (const item of value) collectKinds(item, kinds);
  else if (value instanceof Map) for (const inner of value.values()) collectKinds(inner, kinds);
  else if (value === 0) kinds.push("number");
  else if (value === null) kinds.push("other");
  else throw malformed("expected 0 or null in a shape");
}

function readOthers(reader: ByteReader, count: number): readonly CborValue[] {
  const total = reader.varint();
  if (total > count) throw malformed("expected no more values than events");
  const values = Array.from({ length: total }, () => decodeCbor(reader.bytes(reader.varint())));
  return readNumbers(reader, count).map((index) => {
    const value = values[index];
    if (value === undefined) throw malformed("expected the index of a value");
    return value;
  });
}

function fill(shape: CborValue, leaves: Iterator<CborValue>): CborValue {
  if (Array.isArray(shape)) return shape.map((item: CborValue) => fill(item, leaves));
  if (shape instanceof Map) {
    return new Map([...shape].map(([key, inner]) => [key, fill(inner, leaves)]));
  }
  return leaves.next().value ?? null;
}
