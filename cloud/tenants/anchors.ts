/** The platform's file of anchors: what holds the tenants' audit trails from outside their stores (P-51). */
import type { AuditEntry, SigningKey } from "@kerbside/protocol";
import { type Anchor, appendAudit, headBytes } from "./audit-chain.ts";
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

/** Writes a change of the platform's store with its record in one transaction, and anchors the record (P-50, P-51). */
export function platformAudit(
  at: { readonly platform: Database; readonly anchors: Database; readonly nowMs: () => number },
  key: SigningKey,
): PlatformAudited {
  const { platform, anchors, nowMs } = at;
  const anchor = anchorOf(anchors, PLATFORM);
  return (entry, change) => {
    const { value, head } = platform.write((sql) => ({
      value: change(sql),
      head: appendAudit(sql, PLATFORM, nowMs(), entry),
    }));
    anchor.keep(head, key.sign(headBytes(PLATFORM, head)));
    return value;
  };
}
