/**
 * The check of a tenant's whole trail, for who asks over the API. It reads every entry and verifies every anchored head
 * (0.13 ms each), which would hold up the node's other answers: so it is the command line's own check, in a process of
 * its own, one at a time.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { AuditCheck } from "@kerbside/commands";
import { ProtocolError, type TenantId } from "@kerbside/protocol";
import { stageOf } from "@kerbside/tenants";
import { STAGE } from "./config.ts";

const CHECK_MS_MAX = 120_000;
const run = promisify(execFile);
/** This program itself, as source or as built. */
const main = fileURLToPath(import.meta.url).replace(/audit-check\.(ts|js)$/, "main.$1");

/** Throws ProtocolError `limit_reached` while one is under way, `unavailable` where it comes to no end. */
export function auditChecks(
  dir: string,
  masterKey: Uint8Array,
): (tenant: TenantId) => Promise<AuditCheck> {
  let busy = false;
  return async (tenant) => {
    if (busy) throw new ProtocolError("limit_reached", "audit: another check is under way");
    busy = true;
    try {
      return await checkOf(tenant, dir, masterKey);
    } finally {
      busy = false;
    }
  };
}

async function checkOf(tenant: TenantId, dir: string, masterKey: Uint8Array): Promise<AuditCheck> {
  const words = ["audit", "verify", "--tenant", tenant, "--data", dir, "--json"];
  // The directory is open here, so it is of where this is run (P-94).
  const env = {
    KERBSIDE_MASTER_KEY: Buffer.from(masterKey).toString("base64url"),
    [STAGE]: stageOf(dir),
  };
  // Status 1 says that it does not hold, which the line says as well.
  const told = await run(process.execPath, [main, ...words], { env, timeout: CHECK_MS_MAX }).catch(
    (error: unknown) => ({ stdout: stdoutOf(error) }),
  );
  const check = parsed(told.stdout);
  if (check === undefined) throw new ProtocolError("unavailable", "audit: the check did not end");
  return check;
}

function stdoutOf(error: unknown): string {
  return error instanceof Error && "stdout" in error ? String(error.stdout) : "";
}

/** The check's one line; undefined where there is none. */
function parsed(line: string): AuditCheck | undefined {
  if (line.trim() === "") return undefined;
  // Written by our own command a moment ago.
  const { entries, unanchored, problems } = JSON.parse(line) as AuditCheck;
  return { entries, unanchored, problems };
}
