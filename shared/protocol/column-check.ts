/**
 * Columns as a store keeps them: checked against the schema without putting each event together. The columns of a
 * shape that serves one kind are independent of each other, and a codec takes an interval of numbers, whole ones or
 * all; so the least, the greatest and one broken number stand for a column, and the different values of any other.
 */
import type { CborValue } from "./cbor.ts";
import { type ColumnShape, type Columns, eventValue, eventValues, readColumns } from "./columns.ts";
import { ProtocolError } from "./errors.ts";
import { type CarEvent, EVENT_KINDS, eventFromCbor } from "./events.ts";

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
  const { events, kinds } = checkShapes(columns);
  const newest = newestOf(columns, kinds).map((place) => ({
    event: events?.[place] ?? eventAt(columns, place),
    place,
  }));
  return { body, count, firstAtMs, lastAtMs, kinds, newest };
}

/** The events of columns, in order. Throws ProtocolError `malformed`. */
export function columnEvents(body: Uint8Array, count: number): readonly CarEvent[] {
  return eventValues(readColumns(body, count)).map((value) => eventFromCbor(value));
}

/** The kinds of all events; the events themselves only where they had to be put together. */
function checkShapes(columns: Columns): {
  readonly events?: readonly CarEvent[];
  readonly kinds: readonly number[];
} {
  const times = columns.times.map(probes);
  const codes: number[] = [];
  for (const shape of columns.shapes) {
    const kind = probe(shape, times);
    if (kind === undefined) {
      const events = eventValues(columns).map((value) => eventFromCbor(value));
      return { events, kinds: events.map((event) => EVENT_KINDS[event.kind].code) };
    }
    codes.push(kind);
  }
  return { kinds: columns.indexes.map((index) => codes[index] ?? Number.NaN) };
}

const KIND_KEY = 3;
/** More different texts than this in one column, and the events are put together instead. */
const PROBES_MAX = 256;

/** Checks a shape by probes; undefined where that does not tell: events of several kinds have this shape. */
function probe(shape: ColumnShape, times: readonly (readonly CborValue[])[]): number | undefined {
  const leaves = shape.leaves.map(probes);
  const kinds = leaves[leafOfKind(shape.value)];
  if (kinds?.length !== 1) return undefined;
  const longest = Math.max(...leaves.map(length), ...times.map(length));
  if (longest > PROBES_MAX) return undefined;
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
  const [kind] = kinds;
  return typeof kind === "number" ? kind : undefined;
}

const length = ({ length }: readonly unknown[]): number => length;

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

/** Values that stand for all of a column. */
function probes(column: readonly CborValue[]): readonly CborValue[] {
  const found = new Set<CborValue>();
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  let broken: number | undefined;
  for (const value of column) {
    if (typeof value !== "number") {
      found.add(value);
      continue;
    }
    // Written so that NaN is taken for the broken one, and stays it.
    if (!Number.isSafeInteger(value) && !Number.isNaN(broken)) broken = value;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  if (least <= greatest) found.add(least).add(greatest);
  if (broken !== undefined) found.add(broken);
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
