/** `erase`, `erase due`, `hold place|release|list|read`: the end of what is kept of people (P-81, P-82). */
import { randomUUID } from "node:crypto";
import { type HeldThing, type LegalHold, ProtocolError, vehicleId } from "@kerbside/protocol";
import { INACTIVITY_DAYS_DEFAULT, type SqliteTenantStore } from "@kerbside/tenants";
import { type Command, type Input, TENANT_OPTIONS, UsageError } from "./command.ts";
import { byOperator, withTenant } from "./open.ts";

const PERSON_OPTION = { value: "ID", required: true, doc: "id of the person" };
const HOLD_OPTION = { value: "ID", required: true, doc: "id of the hold" };
const STAGES = ["suspend", "erase", "certify"] as const;
type Stage = (typeof STAGES)[number];
const DAY_MS = 86_400_000;
const DAYS_MAX = 36_500;

export const ERASE_COMMANDS: readonly Command[] = [
  {
    name: "erase",
    summary:
      "Suspends a person for good, then destroys the keys, then certifies it: a stage a call.",
    options: {
      ...TENANT_OPTIONS,
      person: PERSON_OPTION,
      stage: { value: "STAGE", required: true, doc: `one of ${STAGES.join(", ")}` },
      reason: { value: "TEXT", doc: "why, for the audit trail" },
      early: { doc: "erase although the legal term has not passed: on the person's request" },
    },
    run: (input) => withTenant(input, ({ store }) => erase(input, store)),
  },
  {
    name: "erase due",
    summary: "Lists what is to be suspended, erased or certified, soonest first.",
    options: {
      ...TENANT_OPTIONS,
      within: { value: "DAYS", default: "0", doc: "what is due in so many days as well" },
    },
    run: (input) => withTenant(input, ({ store }) => listDue(input, store)),
  },
  {
    name: "erase run",
    summary: "Does what is due: suspends, erases and certifies, but for what a hold names.",
    options: {
      ...TENANT_OPTIONS,
      "inactivity-days": {
        value: "DAYS",
        default: String(INACTIVITY_DAYS_DEFAULT),
        doc: "who did nothing for so long is suspended",
      },
    },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const days = input.integer("inactivity-days", 1, DAYS_MAX);
        const audit = byOperator(input, "erase.run", `tenant:${store.tenant}`);
        const done = await store.people.endDue(audit, days);
        const words = Object.entries(done).map(([what, count]) => `${count} ${what}`);
        input.print(done, words.join(", "));
        return 0;
      }),
  },
  {
    name: "hold place",
    summary: "Keeps a person, or a car within times, from being erased, with a copy for readers.",
    options: {
      ...TENANT_OPTIONS,
      person: { value: "ID", doc: "id of the person" },
      vehicle: { value: "VEHICLE", doc: "or a car, with --from and --to" },
      from: { value: "TIME", doc: "with a car: since when (ISO 8601)" },
      to: { value: "TIME", doc: "with a car: until when (ISO 8601)" },
      reason: { value: "TEXT", required: true, doc: "which proceedings" },
      readers: { value: "WHO,WHO", required: true, doc: "who may read the copy" },
    },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const hold = randomUUID();
        const thing = heldThing(input);
        const [reason, readers] = [input.text("reason"), input.text("readers").split(",")];
        const audit = byOperator(input, "hold.place", heldWords(thing), reason);
        await store.people.placeHold(
          { ...thing, hold, reason, readers, placedAtMs: Date.now() },
          audit,
        );
        input.print({ hold, ...thing }, hold);
        return 0;
      }),
  },
  {
    name: "hold release",
    summary: "Ends a hold, and the copy with it.",
    options: { ...TENANT_OPTIONS, hold: HOLD_OPTION },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const hold = input.text("hold");
        await store.people.releaseHold(hold, byOperator(input, "hold.release", `hold:${hold}`));
        input.print({ hold, released: true }, `hold ${hold} is released`);
        return 0;
      }),
  },
  {
    name: "hold list",
    summary: "Lists the holds there are and were.",
    options: TENANT_OPTIONS,
    run: (input) =>
      withTenant(input, async ({ store }) => {
        for (const hold of await store.people.holds())
          input.print(
            hold,
            `${hold.hold}  ${heldWords(hold)}${timesOf(hold)}  ${hold.releasedAtMs === undefined ? "holds" : "released"}  ${hold.reason}`,
          );
        return 0;
      }),
  },
  {
    name: "hold read",
    summary: "Prints the copy that a hold keeps, to a reader that it names.",
    options: {
      ...TENANT_OPTIONS,
      hold: HOLD_OPTION,
      reader: { value: "WHO", required: true, doc: "as whom; must be one of those named" },
    },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const [hold, reader] = [input.text("hold"), input.text("reader")];
        const audit = { ...byOperator(input, "hold.read", `hold:${hold}`), reason: `as ${reader}` };
        input.out(`${await store.people.readHeld(hold, reader, audit)}\n`);
        return 0;
      }),
  },
];

function heldThing(input: Input): HeldThing {
  const [person, vehicle] = [input.optional("person"), input.optional("vehicle")];
  const [from, to] = [input.optional("from"), input.optional("to")];
  if (person !== undefined && vehicle === undefined && from === undefined && to === undefined)
    return { person };
  if (person !== undefined || vehicle === undefined || from === undefined || to === undefined)
    throw new UsageError("hold place: expected --person, or --vehicle with --from and --to");
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  // Not-a-number too.
  if (!(fromMs <= toMs)) throw new UsageError("--from, --to: expected two times in their order");
  return { vehicle: vehicleId(vehicle), fromMs, toMs };
}

function heldWords(thing: HeldThing): string {
  return thing.vehicle === undefined ? `person:${thing.person}` : `vehicle:${thing.vehicle}`;
}

function timesOf(hold: LegalHold): string {
  if (hold.vehicle === undefined) return "";
  return ` ${[hold.fromMs, hold.toMs].map((ms) => new Date(ms).toISOString()).join(" to ")}`;
}

async function erase(input: Input, store: SqliteTenantStore): Promise<number> {
  const person = input.text("person");
  const stage = STAGES.find((name) => name === input.text("stage"));
  if (stage === undefined) throw new UsageError(`--stage: expected one of ${STAGES.join(", ")}`);
  const audit = byOperator(input, `person.${stage}`, `person:${person}`, input.optional("reason"));
  const record = await store.people.person(person);
  if (record === undefined) throw new ProtocolError("not_found", `person ${person}: is not there`);
  switch (stage) {
    case "suspend": {
      const suspended = { ...record, state: "suspended", suspendedAtMs: Date.now() } as const;
      await store.people.putPerson(suspended, audit);
      break;
    }
    case "erase":
      if (!input.flag("early")) await refuseEarly(store, person, stage);
      await store.people.erasePerson(person, audit);
      break;
    case "certify": {
      const certificate = await store.people.certifyErasure(person, audit);
      input.print(certificate, JSON.stringify(certificate, undefined, 2));
      return 0;
    }
  }
  input.print({ person, stage, done: true }, `${stage}: done`);
  return 0;
}

/** The legal term is the operator's duty; that of the person who asks for it goes before. */
async function refuseEarly(store: SqliteTenantStore, person: string, stage: Stage): Promise<void> {
  const all = await store.people.due(Number.MAX_SAFE_INTEGER);
  const due = all.find((each) => each.person === person && each.stage === stage);
  if (due !== undefined && due.dueAtMs > Date.now())
    throw new ProtocolError(
      "conflict",
      `person ${person}: is due at ${new Date(due.dueAtMs).toISOString()}; --early does it now`,
    );
}

async function listDue(input: Input, store: SqliteTenantStore): Promise<number> {
  const untilMs = Date.now() + input.integer("within", 0, DAYS_MAX) * DAY_MS;
  for (const { person, stage, term, dueAtMs, held } of await store.people.due(untilMs)) {
    const due = new Date(dueAtMs).toISOString();
    input.print(
      { person, stage, term, due, held },
      `${due}  ${stage.padEnd(8)} ${person}  ${term}${held ? "  held" : ""}`,
    );
  }
  return 0;
}
