/** `audit verify`, `audit copy`, `audit rotate`: trails that nobody changes unseen (P-50, P-51). */
import { resolve } from "node:path";
import { ProtocolError, type TenantId, tenantId } from "@kerbside/protocol";
import { type AuditReport, type HeadCopy, type Registry, readHeads } from "@kerbside/tenants";
import { readSecret } from "../config.ts";
import { linesOf, verifyFile } from "./audit-file.ts";
import { type Command, type Input, MADE_DATA_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

const EVERY_MS_MAX = 600_000;

const WHOSE = {
  tenant: { value: "TENANT", doc: "of this tenant's trail" },
  platform: { doc: "of the platform's own" },
} as const;

export const AUDIT_COMMANDS: readonly Command[] = [
  {
    name: "audit verify",
    summary: "Checks the audit trails against their hashes and their anchored heads.",
    options: {
      ...MADE_DATA_OPTIONS,
      tenant: { value: "TENANT", doc: "only this tenant's" },
      heads: { value: "DIR", doc: "and against the heads that `audit copy` keeps there" },
      file: { value: "FILE", doc: "of what `audit export` printed, and of no data directory" },
    },
    run: verifyTrails,
  },
  {
    name: "audit export",
    summary:
      "Prints a trail with all that shows that it holds, for auditors; that is entered in it first.",
    options: { ...MADE_DATA_OPTIONS, ...WHOSE },
    run: exportTrail,
  },
  {
    name: "audit copy",
    summary: "Keeps the signed heads of all trails in another place, until it is stopped.",
    options: {
      ...MADE_DATA_OPTIONS,
      to: { value: "DIR", required: true, doc: "a directory of another machine, mounted here" },
      "every-ms": { value: "N", default: "1000", doc: "from one round to the next" },
      once: { doc: "one round, and no more" },
    },
    run: copyHeads,
  },
  {
    name: "audit rotate",
    summary: "Makes a new key that signs the heads of a trail, while the cloud runs.",
    options: { ...MADE_DATA_OPTIONS, ...WHOSE },
    run: rotate,
  },
];

type Heads = ReadonlyMap<string, readonly HeadCopy[]>;

function verifyTrails(input: Input): Promise<number> {
  const name = input.optional("tenant");
  const only = name === undefined ? undefined : asked(() => tenantId(name));
  const from = input.optional("heads");
  const heads: Heads = from === undefined ? new Map() : readHeads(resolve(from));
  const file = input.optional("file");
  if (file !== undefined) return Promise.resolve(verifyExport(input, file, heads));
  return withRegistry(input, async (registry) => {
    const elsewhere = (id?: TenantId): readonly HeadCopy[] =>
      heads.get(registry.trail(id) ?? "") ?? [];
    let problems = 0;
    if (only === undefined)
      problems += report(input, "platform", registry.platform.verifyAudit(elsewhere()));
    for (const id of only === undefined ? registry.list() : [only]) {
      const tenant = await registry.tenant(id);
      if (tenant !== undefined)
        problems += report(input, id, tenant.store.verifyAudit(elsewhere(id)));
      else if (only !== undefined) problems += report(input, id, MISSING);
    }
    return problems === 0 ? 0 : 1;
  });
}

const MISSING: AuditReport = { entries: 0, unanchored: 0, problems: ["there is no such tenant"] };

function report(
  input: Input,
  trail: string,
  { entries, unanchored, problems }: AuditReport,
): number {
  const words = problems.length === 0 ? "ok" : problems.join("; ");
  input.print(
    { trail, ok: problems.length === 0, entries, unanchored, problems },
    `${trail}: ${entries} entries, ${unanchored} not yet anchored: ${words}`,
  );
  return problems.length;
}

function verifyExport(input: Input, file: string, heads: Heads): number {
  const { owner, firstKey, ...report } = verifyFile(resolve(file), heads);
  const words = report.problems.length === 0 ? "ok" : report.problems.join("; ");
  input.print(
    { trail: owner, ok: report.problems.length === 0, firstKey, ...report },
    `${owner}, first key ${firstKey}: ${report.entries} entries, ${report.unanchored} not yet anchored: ${words}`,
  );
  return report.problems.length === 0 ? 0 : 1;
}

async function exportTrail(input: Input): Promise<number> {
  const name = whose(input);
  const entry = byOperator(
    input,
    "audit.export",
    name === undefined ? "platform" : `tenant:${name}`,
  );
  return withRegistry(input, async (registry) => {
    let chain = registry.platform.auditChain;
    if (name === undefined) registry.platform.audit(entry);
    else {
      const tenant = await registry.tenant(name);
      if (tenant === undefined)
        throw new ProtocolError("not_found", `tenant ${name}: is not there`);
      await tenant.store.audit(entry);
      chain = tenant.store.auditChain;
    }
    for (const line of linesOf(chain)) input.print(line, JSON.stringify(line));
    return 0;
  });
}

/** Undefined: the platform's. Throws UsageError where neither is named, or both. */
function whose(input: Input): TenantId | undefined {
  const name = input.optional("tenant");
  if ((name === undefined) !== input.flag("platform"))
    throw new UsageError("audit: expected --tenant or --platform");
  return name === undefined ? undefined : asked(() => tenantId(name));
}

function copyHeads(input: Input): Promise<number> {
  const everyMs = input.integer("every-ms", 10, EVERY_MS_MAX);
  return withRegistry(input, async (registry) => {
    const copies = registry.copyHeads(resolve(input.text("to")));
    const first = copies.round();
    input.print({ ready: true, heads: first }, `${first} heads were new there`);
    while (!input.flag("once") && !input.stop.aborted) {
      await pause(everyMs, input.stop);
      copies.round();
    }
    return 0;
  });
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop.addEventListener("abort", done, { once: true });
  });
}

function rotate(input: Input): Promise<number> {
  const id = whose(input);
  const entry = byOperator(input, "audit.rotate", "key:audit");
  const told = (trail: string, version: number): number => {
    const of = id === undefined ? { trail } : { tenant: trail };
    input.print({ ...of, version }, `audit key ${version} signs from here on`);
    return 0;
  };
  if (id === undefined)
    return withRegistry(input, async ({ platform }) =>
      told("platform", await platform.rotateAudit(entry)),
    );
  return withRegistry(input, async (registry: Registry, dir) => {
    const secret = (name: "signer-key" | "issuer-key") =>
      readSecret(name, { dir, dev: false, env: input.env });
    const keys = { signerKey: secret("signer-key"), issuerKey: secret("issuer-key") };
    return told(id, await registry.rotateAudit(id, keys, entry));
  });
}
