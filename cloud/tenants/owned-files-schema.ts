/** The table of files in a tenant's store. See tenant-schema.ts. */
import type { ColumnClasses } from "./schema-check.ts";

export const OWNED_FILES_SQL = `
CREATE TABLE owned_files /* photos, documents and exports #PPI #GEO #SPI */ (
  file /* UUIDv4 */ TEXT PRIMARY KEY,
  kind /* of the table of kinds */ TEXT NOT NULL,
  owner /* person:…, booking:… or vehicle:… #SPI */ TEXT NOT NULL,
  type /* as its bytes show */ TEXT NOT NULL,
  bytes /* how many, unsealed */ INTEGER NOT NULL,
  added_at_ms /* Unix time */ INTEGER NOT NULL,
  until_ms /* Unix time after which it is removed */ INTEGER,
  content /* sealed under the owner's key #PPI #GEO #SPI */ BLOB NOT NULL
) STRICT;
CREATE INDEX owned_files_owner ON owned_files (owner, added_at_ms);
CREATE INDEX owned_files_until ON owned_files (until_ms) WHERE until_ms IS NOT NULL;
`;

const internal = ["Internal"] as const;
export const OWNED_FILE_CLASSES: ColumnClasses = {
  owned_files: {
    file: internal,
    kind: internal,
    owner: ["Confidential", "SPI"],
    type: internal,
    bytes: internal,
    added_at_ms: internal,
    until_ms: internal,
    content: ["Confidential", "PPI", "GEO", "SPI"],
  },
};
