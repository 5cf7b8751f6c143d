/** The platform's file of anchors: what holds the tenants' audit trails from outside their stores (P-51). */
import type { AuditEntry } from "@kerbside/protocol";
import type { Anchor } from "./audit-chain.ts";
import type { Database, Sql } from "./database.ts";

/** Whose trail is the platform's own. */
export const PLATFORM = "platform";
export type PlatformAudited = <T>(entry: AuditEntry, change: (sql: Sql) => T) => T;

/** Heads of an owner's audit trail, in the platform's file of anchors. */
export function anchorOf(anchors: Database, owner: string): Anchor {
  return {
    keep: ({ seq, hash }, signature) => {
      anchors.write((sql) =>
        sql.run(
          "INSERT INTO anchors (owner, seq, hash, signature) VALUES (?, ?, ?, ?)",
          ...[owner, seq, hash, signature],
        ),
      );
    },
    kept: () =>
      anchors.read((sql) =>
        sql.all("SELECT seq, hash, signature FROM anchors WHERE owner = ? ORDER BY seq", owner),
      ),
  };
}
