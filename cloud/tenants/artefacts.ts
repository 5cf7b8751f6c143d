/** What a tenant has published for its cars: the newest version of each, as it was signed. */
import {
  ARTEFACT_KINDS,
  type ArtefactHead,
  type ArtefactKind,
  type ArtefactRecord,
  ProtocolError,
  vehicleId,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { announce } from "./engine.ts";

export const ARTEFACTS_SQL = `
CREATE TABLE artefacts /* published for the cars, signed */ (
  kind /* profile, scheme, flow or rental */ TEXT NOT NULL,
  name /* of its kind */ TEXT NOT NULL,
  version /* only rises */ INTEGER NOT NULL,
  envelope /* the manifest as it was signed */ BLOB NOT NULL,
  content /* what it says */ BLOB NOT NULL,
  vehicles /* ids of the cars that it is for; none: all */ TEXT,
  published_at_ms /* Unix time */ INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;
`;

type HeadRow = {
  readonly kind: string;
  readonly name: string;
  readonly version: number;
  readonly envelope: Uint8Array;
  readonly vehicles: string | null;
  readonly published_at_ms: number;
};
type Row = HeadRow & { readonly content: Uint8Array };
const HEAD = "kind, name, version, envelope, vehicles, published_at_ms";

export function putArtefact(sql: Sql, record: ArtefactRecord): void {
  const { kind, name, version, envelope, content, vehicles, publishedAtMs } = record;
  const stored = sql.get<{ version: number }>(
    "SELECT version FROM artefacts WHERE kind = ? AND name = ?",
    ...[kind, name],
  );
  if (stored !== undefined && version <= stored.version)
    throw new ProtocolError(
      "conflict",
      `${kind} ${name}: has version ${stored.version}, expected a higher one`,
    );
  sql.run(
    `INSERT OR REPLACE INTO artefacts (${HEAD}, content) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ...[kind, name, version, envelope, vehicles?.join(" ") ?? null, publishedAtMs, content],
  );
  for (const vehicle of vehicles ?? []) announce(sql, publishedAtMs, "vehicle", vehicle);
}

export function readArtefact(
  sql: Sql,
  kind: ArtefactKind,
  name: string,
): ArtefactRecord | undefined {
  const row = sql.get<Row>(
    `SELECT ${HEAD}, content FROM artefacts WHERE kind = ? AND name = ?`,
    ...[kind, name],
  );
  return row === undefined ? undefined : { ...headOf(row), content: row.content };
}

export function readArtefacts(sql: Sql): readonly ArtefactHead[] {
  return sql.all<HeadRow>(`SELECT ${HEAD} FROM artefacts ORDER BY kind, name`).map(headOf);
}

function headOf(row: HeadRow): ArtefactHead {
  const kind = ARTEFACT_KINDS.find((each) => each === row.kind);
  if (kind === undefined) throw new ProtocolError("storage_failed", "artefact: has no such kind");
  return {
    kind,
    name: row.name,
    version: row.version,
    envelope: row.envelope,
    publishedAtMs: row.published_at_ms,
    ...(row.vehicles === null ? {} : { vehicles: row.vehicles.split(" ").map(vehicleId) }),
  };
}
