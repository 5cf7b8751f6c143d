/**
 * What goes between ingest and a thread that opens bodies. Many orders go as one buffer and one list of numbers, both
 * handed over rather than copied, and so do the answers: a message of its own for each, or a value for each event of
 * it, costs as much as opening it.
 */
import {
  type CarEvent,
  type CheckedColumns,
  type ColumnRows,
  checkColumns,
  type ErrorCode,
  KEY_BYTES,
  LANES,
  ProtocolError,
} from "@kerbside/protocol";
import { type BodyOrder, openHere } from "./opener.ts";

const LOG_BYTES = 16;
/** Lane, number, first number of an event, count of events, length of the body. */
const NUMBERS = 5;
/** Its segments are kept as they came; of the others the store asks for each row. */
const KEPT_WHOLE = "track";

export type Orders = {
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
};

type Opened = Pick<CheckedColumns, "count" | "firstAtMs" | "lastAtMs" | "newest"> & {
  readonly bodyBytes: number;
  /** One where all are the same. */
  readonly kinds: readonly number[];
  readonly rows: Omit<ColumnRows, "data"> | undefined;
  /** Of the data of all rows, behind the body. */
  readonly rowBytes: number;
};
/** `code` undefined: an error of ours. */
type Refused = { readonly code: ErrorCode | undefined; readonly why: string };
export type Answers = {
  readonly answers: readonly (Opened | Refused)[];
  readonly bytes: Uint8Array<ArrayBuffer>;
};

/** The keys are in it: whoever takes the orders overwrites them. */
export function packOrders(orders: readonly BodyOrder[]): Orders {
  const head = KEY_BYTES + LOG_BYTES;
  const total = orders.reduce((sum, { body }) => sum + head + body.length, 0);
  const bytes = new Uint8Array(total);
  const numbers = new Float64Array(orders.length * NUMBERS);
  let at = 0;
  for (const [i, { key, place, body }] of orders.entries()) {
    const { log, lane, number, firstSeq, count } = place;
    numbers.set([LANES.indexOf(lane), number, firstSeq, count, body.length], i * NUMBERS);
    bytes.set(key, at);
    bytes.set(log, at + KEY_BYTES);
    bytes.set(body, at + head);
    at += head + body.length;
  }
  return { numbers, bytes };
}

export function* unpackOrders({ numbers, bytes }: Orders): Generator<BodyOrder> {
  let at = 0;
  for (let i = 0; i < numbers.length; i += NUMBERS) {
    const [laneIndex = -1, number = 0, firstSeq = 0, count = 0, length = 0] = numbers.subarray(
      i,
      i + NUMBERS,
    );
    const lane = LANES[laneIndex];
    if (lane === undefined) throw new RangeError("orders: expected a lane");
    const take = (size: number): Uint8Array => {
      at += size;
      return bytes.subarray(at - size, at);
    };
    const [key, log, body] = [take(KEY_BYTES), take(LOG_BYTES), take(length)];
    yield { key, place: { log, lane, number, firstSeq, count }, body };
  }
}

/** Opens all of them; their keys are zeros afterwards. */
export function answerOrders(orders: Orders): Answers {
  const parts: Uint8Array[] = [];
  const answers = [...unpackOrders(orders)].map((order) => answer(order, parts));
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { answers, bytes };
}

function answer(order: BodyOrder, parts: Uint8Array[]): Opened | Refused {
  try {
    const columns = openHere(order);
    const { body, count, firstAtMs, lastAtMs, kinds, newest } = columns;
    const rows = order.place.lane === KEPT_WHOLE ? undefined : columns.rows();
    parts.push(body, ...(rows === undefined ? [] : [rows.data]));
    const [bodyBytes, rowBytes] = [body.length, rows?.data.length ?? 0];
    const packed = {
      kinds: shortest(kinds),
      rows: rows && { atMs: rows.atMs, ends: rows.ends },
      rowBytes,
    };
    return { bodyBytes, count, firstAtMs, lastAtMs, newest, ...packed };
  } catch (error) {
    if (error instanceof ProtocolError) return { code: error.code, why: error.message };
    return { code: undefined, why: error instanceof Error ? error.message : String(error) };
  }
}

function shortest(kinds: readonly number[]): readonly number[] {
  const [first] = kinds;
  return first !== undefined && kinds.every((kind) => kind === first) ? [first] : kinds;
}

/** The answers in the order of the orders: columns, or the error. */
export function* unpackAnswers({ answers, bytes }: Answers): Generator<CheckedColumns | Error> {
  let at = 0;
  for (const found of answers) {
    if ("why" in found) {
      const { code, why } = found;
      yield code === undefined ? new Error(why) : new ProtocolError(code, why);
      continue;
    }
    const behind = at + found.bodyBytes;
    const end = behind + found.rowBytes;
    yield unpackColumns(found, bytes.subarray(at, behind), bytes.subarray(behind, end));
    at = end;
  }
}

function unpackColumns(found: Opened, body: Uint8Array, data: Uint8Array): CheckedColumns {
  const { count, firstAtMs, lastAtMs, newest, rows } = found;
  const [first = Number.NaN] = found.kinds;
  const kinds = found.kinds.length === count ? found.kinds : Array<number>(count).fill(first);
  return {
    ...{ body, count, firstAtMs, lastAtMs, kinds },
    newest: newest.map(({ event, place }): { event: CarEvent; place: number } => ({
      event,
      place,
    })),
    rows: () => (rows === undefined ? checkColumns(body, count).rows() : { ...rows, data }),
  };
}
