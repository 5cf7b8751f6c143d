/** `events`, `feed`, `audit verify`, `alarms`, and with them `quarantine`: what a tenant's store holds. */
import type { EventView } from "@kerbside/commands";
import { type EventQuery, vehicleId } from "@kerbside/protocol";
import type { AuditReport } from "@kerbside/tenants";
import {
  type Command,
  DATA_OPTION,
  DEV_OPTION,
  type Input,
  JSON_OPTION,
  TENANT_OPTION,
} from "./command.ts";
import { asked, byOperator, withRegistry, withTenant } from "./open.ts";
import { CURSOR_MAX, PAGE, pages } from "./pages.ts";
import { QUARANTINE_COMMANDS } from "./quarantine-commands.ts";

const common = { data: DATA_OPTION, dev: DEV_OPTION, json: JSON_OPTION };
/** Loaded when they are needed: with them comes the API, which most commands can do without. */
const views = () => import("@kerbside/commands");

export const DATA_COMMANDS: readonly Command[] = [
  {
    name: "events",
    summary:
      "Prints every stored event and declared gap, by vehicle, start of log, lane and number.",
    options: {
      ...common,
      tenant: TENANT_OPTION,
      vehicle: { value: "VEHICLE", doc: "only of this car" },
    },
    run: printEvents,
  },
  {
    name: "feed",
    summary: "Prints what changed, in the order of commits: topics and ids.",
    options: {
      ...common,
      tenant: TENANT_OPTION,
      after: { value: "CURSOR", default: "0", doc: "only what came after this cursor" },
    },
    run: (input) => {
      const after = input.integer("after", 0, CURSOR_MAX);
      return withTenant(input, async ({ store }) => {
        const { feedView } = await views();
        const entries = pages(after, (at) => store.feed(at, PAGE), "cursor");
        for await (const entry of entries) {
          const view = feedView(entry);
          input.print(view, `${view.cursor}  ${view.at}  ${view.topic}  ${view.id}`);
        }
        return 0;
      });
    },
  },
  {
    name: "audit verify",
    summary: "Checks the audit trails against their hashes and their anchored heads.",
    options: { ...common, tenant: { value: "TENANT", doc: "only this tenant's" } },
    run: verifyTrails,
  },
  ...QUARANTINE_COMMANDS,
  {
    name: "alarms",
    summary: "Prints what a person should look at: forks, broken chains, logs with two successors.",
    options: {
      ...common,
      tenant: TENANT_OPTION,
      after: { value: "ID", default: "0", doc: "only what came after this id" },
    },
    run: (input) => {
      const after = input.integer("after", 0, CURSOR_MAX);
      return withTenant(input, async ({ store }) => {
        const entries = pages(after, async (from) => store.alarms(from, PAGE), "id");
        for await (const { id, atMs, vehicle, kind, detail } of entries) {
          const at = new Date(atMs).toISOString();
          input.print(
            { id, at, vehicle, kind, detail },
            `${id}  ${at}  ${vehicle}  ${kind}  ${detail}`,
          );
        }
        return 0;
      });
    },
  },
];

function printEvents(input: Input): Promise<number> {
  const name = input.optional("vehicle");
  const vehicle = name === undefined ? undefined : asked(() => vehicleId(name));
  return withTenant(input, async ({ store }) => {
    const { eventView } = await views();
    const of = vehicle === undefined ? `tenant:${store.tenant}` : `vehicle:${vehicle}`;
    await store.audit(byOperator(input, "read.events", of));
    const query: EventQuery = { limit: PAGE, ...(vehicle === undefined ? {} : { vehicle }) };
    for (let after: string | undefined; ; ) {
      const page = await store.events(after === undefined ? query : { ...query, after });
      for (const item of page.items) {
        const view = eventView(item);
        input.print(view, lineOf(view));
      }
      if (page.next === undefined) return 0;
      after = page.next;
    }
  });
}

function lineOf(view: EventView): string {
  const place = `${view.vehicle}  ${view.log.slice(0, 8)}  ${view.lane.padEnd(8)}`;
  return "gap" in view
    ? `${place}  ${view.gap.join("–")} are gone, as the car declared`
    : `${place}  ${view.seq}  ${view.at}  ${view.kind}  ${JSON.stringify(view.data)}`;
}

function verifyTrails(input: Input): Promise<number> {
  const only = input.optional("tenant");
  const report = (trail: string, { entries, unanchored, problems }: AuditReport): number => {
    const words = problems.length === 0 ? "ok" : problems.join("; ");
    input.print(
      { trail, ok: problems.length === 0, entries, unanchored, problems },
      `${trail}: ${entries} entries, ${unanchored} not yet anchored: ${words}`,
    );
    return problems.length;
  };
  if (only !== undefined)
    return withTenant(input, async ({ store }) =>
      report(store.tenant, store.verifyAudit()) === 0 ? 0 : 1,
    );
  return withRegistry(input, async (registry) => {
    let problems = report("platform", registry.platform.verifyAudit());
    for (const id of registry.list()) {
      const tenant = await registry.tenant(id);
      if (tenant !== undefined) problems += report(id, tenant.store.verifyAudit());
    }
    return problems === 0 ? 0 : 1;
  });
}
