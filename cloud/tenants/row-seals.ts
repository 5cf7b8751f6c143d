/**
 * What is personal of a segment's rows: their data, sealed once for all of them under the vehicle's key and kept beside
 * them. A row says where and when it was and of which kind; what is not personal stands in it and stays when the key is
 * destroyed. A seal for each row cost four times as much.
 */
import { concatBytes, ProtocolError, type TenantId, uint64, utf8 } from "@kerbside/protocol";
import type { ChunkLog } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { eventBinding, SEALING } from "./engine.ts";
import type { ColumnClasses } from "./schema-check.ts";
import type { SubjectKey } from "./subject-keys.ts";

export const ROW_SEALS_SQL = `
CREATE TABLE row_seals /* the personal data of a segment's rows #PPI #GEO #SPI */ (
  segment_id /* of segments */ INTEGER PRIMARY KEY REFERENCES segments (id),
  data /* number, kind and CBOR of each row, sealed together under the vehicle's key #PPI #GEO #SPI */ BLOB NOT NULL
) STRICT;
`;

export const ROW_SEAL_CLASSES: ColumnClasses = {
  row_seals: { segment_id: ["Internal"], data: ["Confidential", "PPI", "GEO", "SPI"] },
};

/** Before the data of each row: its number in the lane, the number of its kind, and how many bytes follow. */
const HEAD_BYTES = 8 + 2 + 4;
const LOW_AT = 4;
const KIND_AT = 8;
const LENGTH_AT = 10;
/** What most segments need; more is made where one needs more. */
const ROOM_BYTES = 4096;

export type SealPlace = {
  readonly log: ChunkLog;
  readonly lane: number;
  /** Id of the segment. */
  readonly segment: number;
};

/** Nobody moves it to another car, log or segment unseen; numbers and kinds are inside. */
function binding(tenant: TenantId, { log, lane, segment }: SealPlace): Uint8Array {
  const head = utf8(`kerbside/v1/rows\n${tenant}\n${log.vehicle}\n`);
  return concatBytes(head, log.bytes, uint64(lane), uint64(segment));
}

/** Gathers the personal data of a segment's rows. */
export class RowSeal {
  #bytes: Buffer = Buffer.allocUnsafe(ROOM_BYTES);
  #length = 0;

  /** The next row. Its data is what lies between two places of `data`. */
  add(seq: number, kind: number, data: Buffer, from: number, to: number): void {
    const at = this.#length;
    const end = at + HEAD_BYTES + to - from;
    if (end > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes.subarray(0, at)], Math.max(2 * at, end));
    this.#bytes.writeUInt32BE(Math.floor(seq / 2 ** 32), at);
    this.#bytes.writeUInt32BE(seq % 2 ** 32, at + LOW_AT);
    this.#bytes.writeUInt16BE(kind, at + KIND_AT);
    this.#bytes.writeUInt32BE(to - from, at + LENGTH_AT);
    data.copy(this.#bytes, at + HEAD_BYTES, from, to);
    this.#length = end;
  }

  /** Writes it, if there is anything. */
  end(sql: Sql, tenant: TenantId, place: SealPlace, key: SubjectKey): void {
    if (this.#length === 0) return;
    const sealed = key.seal(this.#bytes.subarray(0, this.#length), binding(tenant, place));
    sql.run("INSERT INTO row_seals (segment_id, data) VALUES (?, ?)", place.segment, sealed);
  }
}

export type RowSealing = {
  readonly seq: number;
  readonly segment: number;
  readonly kind: number;
  readonly sealed: number;
  readonly data: Uint8Array;
};
type SealedRow = { readonly kind: number; readonly data: Uint8Array };

/** Reads them, each segment's opened once. */
export class RowSeals {
  readonly #sql: Sql;
  readonly #tenant: TenantId;
  /** By segment, and then by the number of the row. */
  readonly #opened = new Map<number, ReadonlyMap<number, SealedRow>>();

  constructor(sql: Sql, tenant: TenantId) {
    this.#sql = sql;
    this.#tenant = tenant;
  }

  /** The data of a row, however it lies there; undefined where its key was destroyed before it came. Throws as `data`. */
  plain(
    { log, lane }: Omit<SealPlace, "segment">,
    { seq, segment, kind, sealed, data }: RowSealing,
    key: SubjectKey,
  ): Uint8Array | undefined {
    if (sealed === SEALING.erased) return undefined;
    if (sealed === SEALING.plain) return data;
    if (sealed === SEALING.together) return this.data({ log, lane, segment }, key, seq, kind);
    const { vehicle, bytes } = log;
    return key.open(data, eventBinding(this.#tenant, { vehicle, log: bytes, lane, seq, kind }));
  }

  /** The data of a row. Throws ProtocolError `unauthenticated` or `storage_failed` where it is not what was written. */
  data(place: SealPlace, key: SubjectKey, seq: number, kind: number): Uint8Array {
    const rows = this.#opened.get(place.segment) ?? this.#open(place, key);
    const row = rows.get(seq);
    if (row === undefined || row.kind !== kind)
      throw new ProtocolError(
        "storage_failed",
        `segment ${place.segment}: row ${seq} is not whole`,
      );
    return row.data;
  }

  #open(place: SealPlace, key: SubjectKey): ReadonlyMap<number, SealedRow> {
    const { segment } = place;
    const found = this.#sql.get<{ data: Uint8Array }>(
      "SELECT data FROM row_seals WHERE segment_id = ?",
      segment,
    );
    if (found === undefined)
      throw new ProtocolError("storage_failed", `segment ${segment}: its sealed rows are missing`);
    const rows = split(key.open(found.data, binding(this.#tenant, place)));
    this.#opened.set(segment, rows);
    return rows;
  }
}

function split(bytes: Uint8Array): ReadonlyMap<number, SealedRow> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows = new Map<number, SealedRow>();
  for (let at = 0; at < bytes.length; ) {
    const from = at + HEAD_BYTES;
    const end = from + view.getUint32(at + LENGTH_AT);
    const kind = view.getUint16(at + KIND_AT);
    rows.set(view.getUint32(at) * 2 ** 32 + view.getUint32(at + LOW_AT), {
      kind,
      data: bytes.subarray(from, end),
    });
    at = end;
  }
  return rows;
}
