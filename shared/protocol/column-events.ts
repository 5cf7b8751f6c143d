/**
 * Events out of columns. Where a shape serves one kind whose data is a flat structure, which is what cars send all day,
 * each column is checked by itself and the events are put together from what it gives; every other shape takes the way
 * that each event takes alone. Both give the same and refuse the same.
 */
import type { CborValue } from "./cbor.ts";
import { type ColumnShape, type Columns, eventValue, readColumns } from "./columns.ts";
import { ProtocolError } from "./errors.ts";
import { type CarEvent, eventCodec, eventDataCodec, eventFromCbor, kindOfCode } from "./events.ts";

const KIND_KEY = 3;
const DATA_KEY = 4;

type EventTimes = Pick<CarEvent, "bootMs" | "wallOffsetMs" | "doubtMs">;
type TimeName = keyof EventTimes;
const TIMES: readonly TimeName[] = ["bootMs", "wallOffsetMs", "doubtMs"];

/** The events of columns, in order. Throws ProtocolError `malformed`. */
export function columnEvents(body: Uint8Array, count: number): readonly CarEvent[] {
  const columns = readColumns(body, count);
  const { times, shapes, indexes } = columns;
  const [boots = [], offsets = [], doubts = []] = times;
  checkTimes(columns);
  const builders = shapes.map((shape) => flatBuilder(shape) ?? slowBuilder(shape, columns));
  const used = shapes.map(() => 0);
  const events: CarEvent[] = [];
  for (let i = 0; i < indexes.length; i += 1) {
    const index = indexes[i] ?? -1;
    const build = builders[index];
    if (build === undefined) throw new ProtocolError("malformed", "columns: expected a shape");
    const row = used[index] ?? 0;
    used[index] = row + 1;
    events.push(build(row, i, boots[i] ?? 0, offsets[i] ?? 0, doubts[i] ?? 0));
  }
  return events;
}

/** `row`: among the events of its shape; `place`: among all. */
type Build = (
  row: number,
  place: number,
  bootMs: number,
  wallOffsetMs: number,
  doubtMs: number,
) => CarEvent;

function checkTimes({ times }: Columns): void {
  const fields = eventCodec.fields ?? {};
  for (const [i, name] of TIMES.entries())
    checkColumn(fields[name]?.codec, times[i] ?? [], `${eventCodec.describe}.${name}`);
}

type Checker = { fromCbor(value: CborValue, where: string): unknown };

function checkColumn(
  codec: Checker | undefined,
  column: readonly CborValue[],
  where: string,
): readonly unknown[] {
  if (codec === undefined) throw new ProtocolError("malformed", `${where}: has no codec`);
  const { length } = column;
  const out: unknown[] = new Array<unknown>(length);
  for (let i = 0; i < length; i += 1) out[i] = codec.fromCbor(column[i] ?? null, where);
  return out;
}

type FlatField = { readonly name: string; readonly column: readonly unknown[] };

/** Undefined where the shape has more than one kind, or anything but leaves in its data. */
function flatBuilder(shape: ColumnShape): Build | undefined {
  const { value, leaves } = shape;
  if (!(value instanceof Map) || value.size !== 2) return undefined;
  const data = value.get(DATA_KEY);
  const kinds = leaves[0];
  const [first] = value.keys();
  if (
    first !== KIND_KEY ||
    value.get(KIND_KEY) !== 0 ||
    !(data instanceof Map) ||
    kinds === undefined
  )
    return undefined;
  const [code] = kinds;
  if (typeof code !== "number" || kinds.some((other) => other !== code)) return undefined;
  const kind = kindOfCode(code);
  const fields =
    kind === undefined ? undefined : flatFields(eventDataCodec(kind).fields, data, leaves, kind);
  if (kind === undefined || fields === undefined) return undefined;
  return (row, _, bootMs, wallOffsetMs, doubtMs) => {
    const record: Record<string, unknown> = {};
    for (let i = 0; i < fields.length; i += 1) {
      const flat = fields[i];
      if (flat !== undefined) record[flat.name] = flat.column[row];
    }
    return { bootMs, wallOffsetMs, doubtMs, kind, data: record } as CarEvent;
  };
}

type CodecFields = NonNullable<(typeof eventCodec)["fields"]>;

function flatFields(
  known: CodecFields | undefined,
  data: ReadonlyMap<number | string, CborValue>,
  leaves: ColumnShape["leaves"],
  kind: string,
): readonly FlatField[] | undefined {
  if (known === undefined) return undefined;
  const byKey = new Map(Object.entries(known).map((entry) => [entry[1].key, entry]));
  const found: FlatField[] = [];
  // The kind is the first leaf: it stands before the data.
  let leaf = 1;
  for (const [key, inner] of data) {
    const [name, field] = (typeof key === "number" ? byKey.get(key) : undefined) ?? [];
    const column = leaves[leaf];
    const isLeaf = typeof inner !== "object" || inner === null;
    if (!isLeaf || name === undefined || field === undefined || column === undefined)
      return undefined;
    found.push({ name, column: checkColumn(field.codec, column, `${kind}.${name}`) });
    leaf += 1;
  }
  const isWhole = Object.entries(known).every(
    ([name, { optional }]) => optional || found.some((flat) => flat.name === name),
  );
  return isWhole ? found : undefined;
}

function slowBuilder(shape: ColumnShape, { times }: Columns): Build {
  return (row, place) =>
    eventFromCbor(
      eventValue(
        shape,
        shape.leaves.map((column) => column[row] ?? null),
        times.map((column) => column[place] ?? null),
      ),
    );
}
