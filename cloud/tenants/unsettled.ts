/**
 * Directories of tenants that are being made or taken away. Each is on record before anything of it is done, and off it
 * with the last step, so that what a crash cuts short is found and ended by whoever looks next: a tenant that was being
 * taken away goes, and is certified only then (P-83); one that was being made and never came to be leaves nothing.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  type AuditEntry,
  ProtocolError,
  type SigningKey,
  type TenantId,
  tenantId,
} from "@kerbside/protocol";
import type { PlatformAudited } from "./anchors.ts";
import type { Sql } from "./database.ts";
import { certifyRemoval, type ErasureCertificate, newestRemoval } from "./erasure.ts";
import { syncDirectory } from "./files.ts";
import { type Context, directoryOf } from "./registry-context.ts";

/** A tenant that is being made for longer than this is made by nobody any more, in milliseconds. */
const MAKING_MS_MAX = 3_600_000;

type Row = {
  readonly directory: string;
  readonly tenant: string;
  readonly what: "make" | "remove";
  readonly since_ms: number;
  readonly actor: string;
};
type Parts = {
  readonly context: Context;
  readonly audited: PlatformAudited;
  /** Signs certificates. */
  readonly key: SigningKey;
};
type Asked = { readonly id: TenantId; readonly audit: AuditEntry };

export function noteMaking(context: Context, directory: string, { id, audit }: Asked): void {
  context.platform.write((sql) => note(context, sql, directory, { id, audit }, "make"));
}

function note(
  { nowMs }: Context,
  sql: Sql,
  directory: string,
  { id, audit }: Asked,
  what: Row["what"],
): void {
  sql.run(
    "INSERT INTO unsettled (directory, tenant, what, since_ms, actor) VALUES (?, ?, ?, ?, ?)",
    ...[directory, id, what, nowMs(), audit.actor],
  );
}

/** To be called with the last step. Says whether it was still on record. */
export function settled(sql: Sql, directory: string): boolean {
  return sql.run("DELETE FROM unsettled WHERE directory = ?", directory) > 0;
}

/** The directory is gone for good when it returns. */
export function takeAway({ dir }: Context, directory: string): void {
  const tenants = join(dir, "tenants");
  rmSync(join(tenants, directory), { recursive: true, force: true });
  syncDirectory(tenants);
}

/** Throws ProtocolError `not_found`. One whose removal was cut short is taken on. */
export function removeTenant(parts: Parts, asked: Asked): ErasureCertificate {
  const { context, audited } = parts;
  const { id, audit } = asked;
  const cut = rowsOf(context).find(({ tenant, what }) => tenant === id && what === "remove");
  const directory = directoryOf(context, id) ?? cut?.directory;
  if (directory === undefined) throw new ProtocolError("not_found", `tenant ${id}: is not there`);
  if (directory !== cut?.directory)
    audited({ ...audit, outcome: "asked" }, (sql) => {
      sql.run("DELETE FROM tenants WHERE tenant = ?", id);
      note(context, sql, directory, asked, "remove");
    });
  return endRemoval(parts, directory, asked);
}

function endRemoval(
  { context, audited, key }: Parts,
  directory: string,
  { id, audit }: Asked,
): ErasureCertificate {
  takeAway(context, directory);
  const ended = new ProtocolError("conflict", `tenant ${id}: another process ended its removal`);
  try {
    return audited(audit, (sql) => {
      if (!settled(sql, directory)) throw ended;
      return certifyRemoval(sql, key, id, context.nowMs());
    });
  } catch (error) {
    const theirs = context.platform.read((sql) => newestRemoval(sql, id));
    if (error !== ended || theirs === undefined) throw error;
    return theirs;
  }
}

/** Ends what was cut short. Returns the tenants concerned. */
export function settleAll(parts: Parts): readonly TenantId[] {
  const { context } = parts;
  return rowsOf(context).flatMap((row) => {
    const id = tenantId(row.tenant);
    const subject = `tenant:${id}`;
    if (row.what === "remove") {
      const action = "tenant.remove";
      const reason = "taken on after it was cut short";
      const audit = { actor: row.actor, action, subject, outcome: "done", reason } as const;
      endRemoval(parts, row.directory, { id, audit });
      return [id];
    }
    if (context.nowMs() - row.since_ms < MAKING_MS_MAX) return [];
    takeAway(context, row.directory);
    const action = "tenant.create";
    const reason = "cut short, and taken away";
    parts.audited({ actor: row.actor, action, subject, outcome: "failed", reason }, (sql) =>
      settled(sql, row.directory),
    );
    return [id];
  });
}

function rowsOf({ platform }: Context): readonly Row[] {
  return platform.read((sql) => sql.all<Row>("SELECT * FROM unsettled ORDER BY since_ms"));
}
