/** `events`, `feed`, `alarms`, and with them `quarantine`: what a tenant's store holds. */
import type { EventView } from "@kerbside/commands";
import { type EventQuery, vehicleId } from "@kerbside/protocol";
import { type Command, type Input, MADE_DATA_OPTIONS, TENANT_OPTION } from "./command.ts";
import { asked, byOperator, withTenant } from "./open.ts";
import { CURSOR_MAX, PAGE, pages } from "./pages.ts";
import { QUARANTINE_COMMANDS } from "./quarantine-commands.ts";

/** Loaded when they are needed: with them comes the API, which most commands can do without. */
const views = () => import("@kerbside/commands");

export const DATA_COMMANDS: readonly Command[] = [
  {
    name: "events",
    summary:
      "Prints every stored event and declared gap, by vehicle, start of log, lane and number.",
    options: {
      ...MADE_DATA_OPTIONS,
      tenant: TENANT_OPTION,
      vehicle: { value: "VEHICLE", doc: "only of this car" },
    },
    run: printEvents,
  },
  {
    name: "feed",
    summary: "Prints what changed, in the order of commits: topics and ids.",
    options: {
      ...MADE_DATA_OPTIONS,
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
  ...QUARANTINE_COMMANDS,
  {
    name: "alarms",
    summary: "Prints what a person should look at: forks, broken chains, logs with two successors.",
    options: {
      ...MADE_DATA_OPTIONS,
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
