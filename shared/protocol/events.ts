/**
 * An event on its way from the car: its kind, its data by the table of kinds, and when it happened. Encoded one by one
 * here; whole segments of them are columns.
 */
import { type CborValue, decodeCbor } from "./cbor.ts";
import { ProtocolError } from "./errors.ts";
import { EVENT_KINDS, type EventData, type EventKind } from "./event-kinds.ts";
import type { Lane } from "./lanes.ts";
import {
  type Codec,
  encode,
  type FieldMeta,
  field,
  personalTags,
  real,
  struct,
  uint,
} from "./schema.ts";

const internal = (doc: string, unit?: string): FieldMeta => ({
  class: "Internal",
  doc,
  ...(unit === undefined ? {} : { unit }),
});

/** What a producer in the car hands to the buffer. */
export type NewEvent = {
  [K in EventKind]: { readonly kind: K; readonly data: EventData<K> };
}[EventKind];

/**
 * When it happened: milliseconds since the boot on a clock that counts suspend, the wall clock's offset from
 * that (wall = boot + offset, Unix milliseconds), and the doubt of the offset in milliseconds.
 */
export type EventTime = {
  readonly bootMs: number;
  readonly wallOffsetMs: number;
  readonly doubtMs: number;
};
export type CarEvent = NewEvent & EventTime;

const KINDS_BY_CODE: ReadonlyMap<number, EventKind> = new Map(
  (Object.keys(EVENT_KINDS) as EventKind[]).map((kind) => [EVENT_KINDS[kind].code, kind]),
);

export function isEventKind(value: unknown): value is EventKind {
  return typeof value === "string" && Object.hasOwn(EVENT_KINDS, value);
}

/** The lane an event of this kind goes to; `asked` counts only for kinds that may go anywhere. */
export function laneOf(kind: EventKind, asked: Lane = "state"): Lane {
  const { lane } = EVENT_KINDS[kind];
  return lane === "any" ? asked : lane;
}

/** Whether events of this kind hold personal data (PPI, GEO or SPI), and so are encrypted in the store (P-31). */
export function isPersonalKind(kind: EventKind): boolean {
  return personalTags(EVENT_KINDS[kind].data).size > 0;
}

/** The codec of a kind's data, as its general type. */
export function eventDataCodec(kind: EventKind): Codec<unknown> {
  return EVENT_KINDS[kind].data;
}

/** Together below 8.64e15 ms, the last moment a Date can hold. */
const BOOT_MS_MAX = 1e14;
const WALL_MS_MAX = 1e15;
export const eventCodec = struct("event", {
  bootMs: field(0, uint(BOOT_MS_MAX), internal("when, on the car's boot clock", "ms")),
  wallOffsetMs: field(
    1,
    real(-WALL_MS_MAX, WALL_MS_MAX),
    internal("wall clock minus boot clock", "ms"),
  ),
  doubtMs: field(2, uint(), internal("doubt of the offset", "ms")),
  kind: field(3, uint(65_535), internal("kind of event")),
  data: field(4, anything(), {
    class: "Confidential",
    tag: "GEO",
    doc: "by kind; see the table of events",
  }),
});

function anything(): Codec<CborValue> {
  return { describe: "by kind", toCbor: (v) => v, fromCbor: (v) => v };
}

/** Encodes an event. Throws ProtocolError `malformed` if its data breaks the schema of its kind. */
export function encodeEvent(event: CarEvent): Uint8Array {
  const { bootMs, wallOffsetMs, doubtMs, kind } = event;
  const data = eventDataCodec(kind).toCbor(event.data, kind);
  return encode(eventCodec, { bootMs, wallOffsetMs, doubtMs, kind: EVENT_KINDS[kind].code, data });
}

/** Decodes and validates an event. Throws ProtocolError `malformed`. */
export function decodeEvent(encoded: Uint8Array): CarEvent {
  return eventFromCbor(decodeCbor(encoded));
}

/** The kind that has this number. */
export function kindOfCode(code: number): EventKind | undefined {
  return KINDS_BY_CODE.get(code);
}

/** As `decodeEvent`, of what is decoded already. */
export function eventFromCbor(value: CborValue): CarEvent {
  const { kind: code, data, ...time } = eventCodec.fromCbor(value, eventCodec.describe);
  const kind = KINDS_BY_CODE.get(code);
  if (kind === undefined) throw new ProtocolError("malformed", `event.kind: no kind ${code}`);
  return { ...time, kind, data: eventDataCodec(kind).fromCbor(data, kind) } as CarEvent;
}
