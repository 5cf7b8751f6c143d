/** `incident open|update|close|list`: what went wrong, and what the clock asks for (P-91, P-93). */
import { breachSteps, INCIDENT_STATES, type Incident, updateDueMs } from "@kerbside/tenants";
import { type Command, DATA_OPTIONS, type Input, UsageError } from "./command.ts";
import { byOperator, withRegistry } from "./open.ts";

const INCIDENT_OPTION = { value: "ID", required: true, doc: "id of the incident" };

export const INCIDENT_COMMANDS: readonly Command[] = [
  {
    name: "incident open",
    summary: "Opens an incident, or a breach of personal data with its deadlines.",
    options: {
      ...DATA_OPTIONS,
      title: { value: "TEXT", required: true, doc: "what happens; no personal data" },
      breach: { doc: "personal data is concerned" },
    },
    run: (input) =>
      withRegistry(input, async ({ platform }) => {
        const kind = input.flag("breach") ? "breach" : "incident";
        const audit = byOperator(input, `${kind}.open`, kind);
        print(input, platform.incidents.open(kind, input.text("title"), audit));
        return 0;
      }),
  },
  {
    name: "incident update",
    summary: "Says how it stands; of a breach also what was done, as STEP: words.",
    options: {
      ...DATA_OPTIONS,
      incident: INCIDENT_OPTION,
      state: { value: "STATE", required: true, doc: `one of ${INCIDENT_STATES.join(", ")}` },
      words: { value: "TEXT", required: true, doc: "what is known or was done" },
    },
    run: (input) =>
      withRegistry(input, async ({ platform }) => {
        const state = INCIDENT_STATES.find((name) => name === input.text("state"));
        if (state === undefined)
          throw new UsageError(`--state: expected one of ${INCIDENT_STATES.join(", ")}`);
        const id = input.text("incident");
        const audit = byOperator(input, "incident.update", `incident:${id}`, state);
        print(input, platform.incidents.update(id, state, input.text("words"), audit));
        return 0;
      }),
  },
  {
    name: "incident close",
    summary: "Closes what is resolved, with what was learnt.",
    options: {
      ...DATA_OPTIONS,
      incident: INCIDENT_OPTION,
      "post-mortem": {
        value: "TEXT",
        required: true,
        doc: "what was learnt, or where it is written",
      },
    },
    run: (input) =>
      withRegistry(input, async ({ platform }) => {
        const id = input.text("incident");
        const audit = byOperator(input, "incident.close", `incident:${id}`);
        print(input, platform.incidents.close(id, input.text("post-mortem"), audit));
        return 0;
      }),
  },
  {
    name: "incident list",
    summary:
      "Lists incidents, newest first, with what is due; status 1 where something is overdue.",
    options: DATA_OPTIONS,
    run: (input) =>
      withRegistry(input, async ({ platform }) => {
        const overdue = platform.incidents.list().map((incident) => print(input, incident));
        return overdue.some((late) => late) ? 1 : 0;
      }),
  },
];

const iso = (ms: number): string => new Date(ms).toISOString();

/** Says whether something of it is overdue. */
function print(input: Input, incident: Incident): boolean {
  const { id, kind, title, openedAtMs, closedAtMs, updates } = incident;
  const updateMs = updateDueMs(incident);
  const due = [
    ...(updateMs === undefined ? [] : [{ step: "update", dueMs: updateMs }]),
    ...breachSteps(incident).map(({ step, dueMs }) => ({ step, dueMs })),
  ];
  const late = due.some(({ dueMs }) => dueMs < Date.now());
  const state = closedAtMs === undefined ? (updates.at(-1)?.state ?? "") : "closed";
  const view = { id, kind, title, state, openedAt: iso(openedAtMs), overdue: late };
  input.print(
    { ...view, due: due.map(({ step, dueMs }) => ({ step, by: iso(dueMs) })), updates },
    `${id}  ${kind}  ${state}  ${title}${due.map(({ step, dueMs }) => `\n  ${step} by ${iso(dueMs)}`).join("")}`,
  );
  return late;
}
