/** What staff's pages need of a tenant beyond its store's contract, over the engine that there is. */
import type { HandedIn, PutAside, TenantTools } from "@kerbside/commands";
import { redrive } from "@kerbside/ingest";
import { type AuditEntry, type Clock, parseTopic } from "@kerbside/protocol";
import type { Quarantined, Tenant } from "@kerbside/tenants";
import { ingestKeysOf } from "./homes.ts";

const TAKEN: ReadonlySet<HandedIn["value"]> = new Set(["stored", "duplicate", "fork"]);
const FOR_EVER_MS = Number.MAX_SAFE_INTEGER;

/** `checkAudit` may be one that is kinder to this process than the store's own. */
export function tenantTools(
  { store, vault }: Pick<Tenant, "store" | "vault">,
  clock: Clock,
  checkAudit: TenantTools["checkAudit"] = async () => store.verifyAudit(),
): TenantTools {
  return {
    putAside: async (after, limit) => store.quarantined(after, limit).map(headOf),
    handIn: (id, audit) => handIn({ store, vault }, clock, id, audit),
    checkAudit,
    erasures: async (untilMs) =>
      (await store.people.due(FOR_EVER_MS)).filter(
        ({ stage, dueAtMs }) => stage !== "suspend" || dueAtMs <= untilMs,
      ),
    certify: async (person, audit) => store.people.certifyErasure(person, audit),
  };
}

function headOf({ id, atMs, vehicle, reason, topic, payload }: Quarantined): PutAside {
  const named = vehicle === undefined ? {} : { vehicle };
  return { id, atMs, ...named, reason, topic, bytes: payload.length };
}

async function handIn(
  { store, vault }: Pick<Tenant, "store" | "vault">,
  clock: Clock,
  id: number,
  audit: AuditEntry,
): Promise<HandedIn | undefined> {
  const [entry] = store.quarantined(id - 1, 1);
  if (entry?.id !== id) return undefined;
  const tenant = { store, ingestKey: ingestKeysOf(vault) };
  const message = { topic: parseTopic(entry.topic), payload: entry.payload };
  const outcome = await redrive(message, { tenant, clock });
  // What stays is an attempt all the same.
  if (TAKEN.has(outcome.value)) store.takeFromQuarantine(id, { ...audit, reason: outcome.value });
  else await store.audit({ ...audit, outcome: "refused", reason: outcome.value });
  return outcome;
}
