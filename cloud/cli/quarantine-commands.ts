/** `quarantine list`, `show`, `redrive`, `discard`: messages that did not verify or could not be read. */
import { type Redriven, redrive } from "@kerbside/ingest";
import {
  decode,
  headerCodec,
  ProtocolError,
  parseSegmentMessage,
  parseSign1,
  parseTopic,
  type SegmentHeader,
  toHex,
} from "@kerbside/protocol";
import type { Quarantined, SqliteTenantStore, Tenant } from "@kerbside/tenants";
import { ingestKeysOf } from "../homes.ts";
import { serviceClock } from "../ports.ts";
import { type Command, type Input, MADE_TENANT_OPTIONS, UsageError } from "./command.ts";
import { byOperator, withTenant } from "./open.ts";
import { CURSOR_MAX, PAGE, pages } from "./pages.ts";

const LIST = {
  summary: "Prints the messages that were put aside, each with its reason.",
  options: {
    ...MADE_TENANT_OPTIONS,
    after: { value: "ID", default: "0", doc: "only what came after this id" },
  },
  run: listEntries,
};

export const QUARANTINE_COMMANDS: readonly Command[] = [
  { name: "quarantine", ...LIST },
  { name: "quarantine list", ...LIST },
  {
    name: "quarantine show",
    summary: "Prints what can be told of one message, nothing of which is believed.",
    positionals: ["ID"],
    options: MADE_TENANT_OPTIONS,
    run: showEntry,
  },
  {
    name: "quarantine redrive",
    summary:
      "Hands messages in again, with the keys and enrolments of now; what is taken leaves quarantine.",
    options: {
      ...MADE_TENANT_OPTIONS,
      id: { value: "ID", doc: "only this message; without it, all of them" },
    },
    run: redriveEntries,
  },
  {
    name: "quarantine discard",
    summary: "Takes one message out of quarantine for good, or all that name one car.",
    options: {
      ...MADE_TENANT_OPTIONS,
      id: { value: "ID", doc: "this message" },
      vehicle: { value: "ID", doc: "all that name this car" },
    },
    run: discardEntries,
  },
];

function entriesOf(store: SqliteTenantStore, after: number): AsyncGenerator<Quarantined> {
  return pages(after, async (at) => store.quarantined(at, PAGE), "id");
}

function listEntries(input: Input): Promise<number> {
  const after = input.integer("after", 0, CURSOR_MAX);
  return withTenant(input, async ({ store }) => {
    await auditRead(input, store, "all");
    for await (const entry of entriesOf(store, after)) {
      const { id, vehicle, reason, topic, payload } = entry;
      const at = new Date(entry.atMs).toISOString();
      input.print(
        { id, at, vehicle, reason, topic, bytes: payload.length, payload: toHex(payload) },
        `${id}  ${at}  ${topic}  ${reason}  (${payload.length} bytes)`,
      );
    }
    return 0;
  });
}

/** What could not be read may hold anything, so looking into it is a read of personal data. Before anything is shown. */
function auditRead(input: Input, store: SqliteTenantStore, which: string): Promise<void> {
  return store.audit(byOperator(input, "read.quarantine", `quarantine:${which}`));
}

/** Throws UsageError, or ProtocolError `not_found`. */
function find({ store }: Pick<Tenant, "store">, word: string): Quarantined {
  const id = Number(word);
  if (!/^\d{1,15}$/.test(word)) throw new UsageError("quarantine: expected the ID of a message");
  const [entry] = store.quarantined(id - 1, 1);
  if (entry?.id !== id)
    throw new ProtocolError("not_found", `quarantine: there is no message ${id}`);
  return entry;
}

function showEntry(input: Input): Promise<number> {
  return withTenant(input, async ({ store }) => {
    const entry = find({ store }, input.positionals[0] ?? "");
    await auditRead(input, store, String(entry.id));
    const { id, vehicle, reason, topic, payload } = entry;
    const at = new Date(entry.atMs).toISOString();
    const header = headerOf(payload, topic);
    const shown = { id, at, vehicle, reason, topic, bytes: payload.length, header };
    const lines = [
      `message ${id}, ${payload.length} bytes, came ${at} on ${topic}`,
      `put aside: ${reason}`,
      header === undefined
        ? "no header of a segment can be read in it"
        : `claims to be: ${Object.entries(header)
            .map(([name, value]) => `${name} ${value}`)
            .join(", ")}`,
    ];
    input.print(shown, lines.join("\n"));
    return 0;
  });
}

type HeaderView = Readonly<Record<string, string | number>>;

/** What the message says of itself; undefined where it has no header that can be read. */
function headerOf(payload: Uint8Array, topic: string): HeaderView | undefined {
  let header: SegmentHeader;
  try {
    header = decode(
      headerCodec,
      parseSign1(parseSegmentMessage(payload, parseTopic(topic)).header).payload,
    );
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
  const { tenant, vehicle, log, lane, number, firstSeq, count, ratchet, codec } = header;
  return { tenant, vehicle, log: toHex(log), lane, number, firstSeq, count, ratchet, codec };
}

const TAKEN: ReadonlySet<Redriven["value"]> = new Set(["stored", "duplicate", "fork"]);

/** Status 1 where one of them is still refused. */
function redriveEntries(input: Input): Promise<number> {
  return withTenant(input, async (tenant) => {
    const only = input.optional("id");
    let refused = 0;
    const entries = only === undefined ? entriesOf(tenant.store, 0) : [find(tenant, only)];
    for await (const entry of entries) {
      const outcome = await redriveOne(tenant, entry);
      if (TAKEN.has(outcome.value)) {
        const of = `quarantine:${entry.id}`;
        const audit = byOperator(input, "quarantine.redrive", of, outcome.value);
        tenant.store.takeFromQuarantine(entry.id, audit);
      } else refused += 1;
      input.print({ id: entry.id, ...outcome }, wordsOf(entry, outcome));
    }
    return refused === 0 ? 0 : 1;
  });
}

/** What a car was told to forget is gone then: nobody but a person decides that. */
function discardEntries(input: Input): Promise<number> {
  return withTenant(input, async ({ store }) => {
    const [id, vehicle] = [input.optional("id"), input.optional("vehicle")];
    if ((id === undefined) === (vehicle === undefined))
      throw new UsageError("quarantine discard: expected either --id or --vehicle");
    const entries = id === undefined ? entriesOf(store, 0) : [find({ store }, id)];
    for await (const entry of entries) {
      if (vehicle !== undefined && entry.vehicle !== vehicle) continue;
      const audit = byOperator(input, "quarantine.discard", `quarantine:${entry.id}`, entry.reason);
      store.takeFromQuarantine(entry.id, audit);
      input.print({ id: entry.id, value: "discarded" }, `${entry.id} is discarded`);
    }
    return 0;
  });
}

/** A message that is no segment's, or on no such topic, is still what it was. */
async function redriveOne({ store, vault }: Tenant, entry: Quarantined): Promise<Redriven> {
  const home = { store, ingestKey: ingestKeysOf(vault) };
  const topic = parseTopic(entry.topic);
  return await redrive({ topic, payload: entry.payload }, { tenant: home, clock: serviceClock() });
}

function wordsOf({ id }: Quarantined, outcome: Redriven): string {
  const words: Readonly<Record<Exclude<Redriven["value"], "still">, string>> = {
    stored: "is stored",
    duplicate: "was stored already",
    fork: "is stored as a fork",
    waiting: "waits for the opening of its log, and stays",
    dropped: "is of a car that is revoked or unknown, and stays",
  };
  return outcome.value === "still"
    ? `${id} stays: ${outcome.reason}`
    : `${id} ${words[outcome.value]}`;
}
