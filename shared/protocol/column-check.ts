/**
 * Columns as a store keeps them: checked against the schema without putting each event together. The columns of a
 * shape that serves one kind are independent of each other, and a codec takes an interval of numbers, whole ones or
 * all; so the least, the greatest and one broken number stand for a column, and the different values of any other.
 */
import type { CborValue } from "./cbor.ts";
import { type ColumnRows, columnRows } from "./column-rows.ts";
import { type ColumnShape, type Columns, eventValue, readColumns } from "./columns.ts";
import { ProtocolError } from "./errors.ts";
import { type CarEvent, eventFromCbor } from "./events.ts";

/** Events as columns, each of which `decodeEvent` would take. */
export type CheckedColumns = {
  /** As `encodeColumns` writes them. */
  readonly body: Uint8Array;
  readonly count: number;
  /** Unix time of the earliest and the latest event by the car's clocks, in milliseconds. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The number of the kind of each event, in order. */
  readonly kinds: readonly number[];
  /** Of each kind the last on the boot clock, with its place from 0. */
  readonly newest: readonly { readonly event: CarEvent; readonly place: number }[];
  /** Each event by itself. */
  readonly rows: () => ColumnRows;
};

/** Unix time of an event in whole milliseconds. */
export function eventAtMs({
  bootMs,
  wallOffsetMs,
}: Pick<CarEvent, "bootMs" | "wallOffsetMs">): number {
  return Math.round(bootMs + wallOffsetMs);
}

/** Throws ProtocolError `malformed` where one event of them is not what its kind asks for. */
export function checkColumns(body: Uint8Array, count: number): CheckedColumns {
  const columns = readColumns(body, count);
  const [boots = [], offsets = []] = columns.times;
  let firstAtMs = Number.POSITIVE_INFINITY;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i += 1) {
    const atMs = Math.round((boots[i] ?? 0) + (offsets[i] ?? 0));
    if (atMs < firstAtMs) firstAtMs = atMs;
    if (atMs > lastAtMs) lastAtMs = atMs;
  }
  const kinds = checkShapes(columns);
  const newest = newestOf(columns, kinds).map((place) => ({
    event: eventAt(columns, place),
    place,
  }));
  const rows = () => columnRows(columns);
  return { body, count, firstAtMs, lastAtMs, kinds, newest, rows };
}

/** Checks each shape and answers the kinds of all events, in order. */
function checkShapes(columns: Columns): readonly number[] {
  const times = columns.times.map(probes);
  const kinds = columns.shapes.map((shape) => {
    const column = shape.leaves[leafOfKind(shape.value)];
    if (column === undefined) throw new ProtocolError("malformed", "columns: expected a kind");
    for (const part of byKind(shape, column)) probe(part, times);
    return column;
  });
  const used = kinds.map(() => 0);
  return columns.indexes.map((index) => {
    const row = used[index] ?? 0;
    used[index] = row + 1;
    const kind = kinds[index]?.[row];
    return typeof kind === "number" ? kind : Number.NaN;
  });
}

/** A shape cut into the parts that hold one kind each: only there are its columns independent of each other. */
function byKind(shape: ColumnShape, kinds: readonly CborValue[]): readonly ColumnShape[] {
  const [first] = kinds;
  if (kinds.every((kind) => kind === first)) return [shape];
  const rows = Map.groupBy(kinds.keys(), (row) => kinds[row]);
  return [...rows.values()].map((part) => ({
    value: shape.value,
    count: part.length,
    leaves: shape.leaves.map((column) => part.map((row) => column[row] ?? null)),
  }));
}

const KIND_KEY = 3;

/** Checks a shape that holds one kind by values that stand for all of each column. */
function probe(shape: ColumnShape, times: readonly (readonly CborValue[])[]): void {
  const leaves = shape.leaves.map(probes);
  const longest = [...leaves, ...times].reduce((most, { length }) => Math.max(most, length), 0);
  const pick = (column: readonly CborValue[], i: number): CborValue =>
    column[Math.min(i, column.length - 1)] ?? null;
  for (let i = 0; i < longest; i += 1)
    eventFromCbor(
      eventValue(
        shape,
        leaves.map((column) => pick(column, i)),
        times.map((column) => pick(column, i)),
      ),
    );
}

/** Which leaf holds the kind; −1 where the shape has none, or where anything but leaves stands before it. */
function leafOfKind(value: CborValue): number {
  if (!(value instanceof Map)) return -1;
  let at = 0;
  for (const [key, inner] of value) {
    if (key === KIND_KEY) return at;
    if (typeof inner === "object" && inner !== null) return -1;
    at += 1;
  }
  return -1;
}

/** Values that stand for all of a column. Looked at for each number that a store takes in. */
function probes(column: readonly CborValue[]): readonly CborValue[] {
  const found = new Set<CborValue>();
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  // One that is not whole, and NaN rather than any other; 0 for none. One that is too large to be whole is an end.
  let broken = 0;
  for (let i = 0; i < column.length; i += 1) {
    const value = column[i];
    if (typeof value !== "number") {
      found.add(value ?? null);
      continue;
    }
    if (value < least) least = value;
    if (value > greatest) greatest = value;
    if (Math.floor(value) !== value && !Number.isNaN(broken)) broken = value;
  }
  if (least <= greatest) found.add(least).add(greatest);
  if (broken !== 0) found.add(broken);
  return [...found];
}

/** Of each kind the place of its newest event. Within one log the boot clock never goes back. */
function newestOf({ times: [boots = []] }: Columns, kinds: readonly number[]): readonly number[] {
  const places = new Map<number, number>();
  let kind: number | undefined;
  let best = 0;
  for (let i = 0; i < kinds.length; i += 1) {
    if (kinds[i] !== kind) {
      if (kind !== undefined) places.set(kind, best);
      kind = kinds[i];
      best = (kind === undefined ? undefined : places.get(kind)) ?? i;
    }
    if ((boots[i] ?? 0) >= (boots[best] ?? 0)) best = i;
  }
  if (kind !== undefined) places.set(kind, best);
  return [...places.values()];
}

function eventAt({ times, shapes, indexes }: Columns, place: number): CarEvent {
  const shape = shapes[indexes[place] ?? -1];
  if (shape === undefined) throw new ProtocolError("malformed", "columns: expected a shape");
  let row = 0;
  for (let i = 0; i < place; i += 1) if (indexes[i] === indexes[place]) row += 1;
  const leaves = shape.leaves.map((column) => column[row] ?? null);
  return eventFromCbor(
    eventValue(
      shape,
      leaves,
      times.map((column) => column[place] ?? null),
    ),
  );
}
