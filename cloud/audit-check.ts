/**
 * The check of a tenant's whole trail, for who asks over the API. It reads every entry and verifies every anchored head
 * (0.13 ms each), which would hold up the node's other answers: so it is the command line's own check, in a process of
 * its own. What that prints is bounded by the check itself, well below what is read of it here (1 MB).
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

/** Those of several tenants, at a time: each takes a core while it runs. */
const AT_ONCE_MAX = 2;
/** Of other tenants; who comes later is refused. */
const WAITING_MAX = 32;

/**
 * One of a tenant at a time; those of other tenants wait for their turn. Throws ProtocolError `limit_reached` while the
 * tenant's own is under way or too many wait, `unavailable` where it comes to no end.
 */
export function auditChecks(
  dir: string,
  masterKey: Uint8Array,
  check: typeof checkOf = checkOf,
): (tenant: TenantId) => Promise<AuditCheck> {
  const tenants = new Set<TenantId>();
  const waiting: (() => void)[] = [];
  let running = 0;
  const turn = async (): Promise<void> => {
    if (running < AT_ONCE_MAX) running += 1;
    // Whoever ends hands its place on.
    else await new Promise<void>((resume) => waiting.push(resume));
  };
  const next = (): void => {
    const resume = waiting.shift();
    if (resume === undefined) running -= 1;
    else resume();
  };
  return async (tenant) => {
    if (tenants.has(tenant) || waiting.length >= WAITING_MAX)
      throw new ProtocolError("limit_reached", "audit: another check is under way");
    tenants.add(tenant);
    try {
      await turn();
      return await check(tenant, dir, masterKey).finally(next);
    } finally {
      tenants.delete(tenant);
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
