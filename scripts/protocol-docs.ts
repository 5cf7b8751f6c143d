/**
 * `node scripts/protocol-docs.ts [--check]`: prints the tables of shared/protocol/protocol.md from the schemas, between
 * the marks `<!-- table NAME -->` and `<!-- end -->`. With `--check` it writes nothing and exits 1 if a table differs.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  ACTION_DOMAIN,
  ACTIONS,
  ackCodec,
  artefactCodec,
  CBOR_LIMITS,
  CHANNELS,
  type Codec,
  carriedGrantCodec,
  commandCodec,
  ERRORS,
  EVENT_KINDS,
  eventCodec,
  grantListCodec,
  headerCodec,
  KEY_PURPOSES,
  keyCertificateCodec,
  keyPushCodec,
  LOCK_MESSAGES,
  layoutBytes,
  openingCodec,
  PUSH_KINDS,
  phoneAnswerCodec,
  phoneChallengeCodec,
  phoneStatementCodec,
  READER_MESSAGES,
  rentalPolicyCodec,
  resultCodec,
  SIGNALS,
  type SignalRow,
  sessionCodec,
  successionCodec,
  timeAnswerCodec,
  VEHICLE_DOMAINS,
  type WireLayout,
} from "../shared/protocol/index.ts";

const page = fileURLToPath(new URL("../shared/protocol/protocol.md", import.meta.url));

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const code = (text: string): string => `\`${text}\``;
const yesNo = (value: boolean): string => (value ? "yes" : "no");
const classOf = (of: { readonly class: string; readonly tag?: string }): string =>
  of.tag === undefined ? of.class : `${of.class} #${of.tag}`;

/** The fields of a structure, and below it those of the structures inside it. */
function structure(codec: Codec<unknown>): string {
  const inner: string[] = [];
  const rows = Object.entries(codec.fields ?? {})
    .sort(([, a], [, b]) => a.key - b.key)
    .map(([name, field]): Row => {
      const nested = field.codec.item ?? field.codec;
      if (nested.fields !== undefined) inner.push(structure(nested));
      const unit = field.unit === undefined ? "" : `, ${field.unit}`;
      const presence = field.optional ? "may be left out" : "";
      return [
        String(field.key),
        code(name),
        field.codec.describe,
        classOf(field),
        `${field.doc}${unit}`,
        presence,
      ];
    });
  const head = ["key", "field", "what", "class", "meaning", ""];
  return [`*${codec.describe}*\n\n${table(head, rows)}`, ...inner].join("\n\n");
}

function signals(): string {
  const rows = Object.entries(SIGNALS).map(([name, row]: [string, SignalRow]): Row => {
    const bounds = row.range === undefined ? (row.values ?? []).join(", ") : row.range.join(" to ");
    return [String(row.code), name, row.type, row.unit ?? "", bounds, classOf(row)];
  });
  return table(["code", "signal", "type", "unit", "values", "class"], rows);
}

function events(): string {
  const kinds = Object.entries(EVENT_KINDS);
  const overview = table(
    ["kind", "event", "lane"],
    kinds.map(([kind, row]) => [String(row.code), code(kind), row.lane]),
  );
  const each = kinds.map(([kind, row]) => `${code(kind)}: ${structure(row.data)}`);
  return [overview, ...each].join("\n\n");
}

type MessageRow = {
  readonly code: number;
  readonly from: string;
  readonly acked: boolean;
  readonly doc: string;
  readonly layout: WireLayout;
  readonly tailBytesMax?: number;
};
type Messages = Readonly<Record<string, MessageRow>>;

function linkMessages(messages: Messages): string {
  return table(
    ["type", "message", "from", "bytes", "acked", "meaning"],
    Object.entries(messages).map(([name, row]) => [
      `0x${row.code.toString(16).padStart(2, "0")}`,
      code(name),
      row.from,
      row.tailBytesMax
        ? `${layoutBytes(row.layout)} to ${layoutBytes(row.layout) + row.tailBytesMax}`
        : String(layoutBytes(row.layout)),
      yesNo(row.acked),
      row.doc,
    ]),
  );
}

function linkLayouts(messages: Messages): string {
  return Object.entries(messages)
    .filter(([, { layout }]) => Object.keys(layout).length > 0)
    .map(([name, { layout }]) => {
      let at = 0;
      const rows = Object.entries(layout).map(([field, { size, describe }]): Row => {
        const cells = [String(at), String(size), code(field), describe];
        at += size;
        return cells;
      });
      return `${code(name)}\n\n${table(["offset", "bytes", "field", "what"], rows)}`;
    })
    .join("\n\n");
}

function keys(): string {
  const rows = Object.entries(KEY_PURPOSES).map(([purpose, row]): Row => {
    const algorithm = purpose === "ingest" ? "X25519" : "Ed25519";
    const { domain, holder, certifiedBy, lifeDaysMax, revocation } = row;
    const years = lifeDaysMax / 365;
    const life = years === 1 ? "1 year" : `${years} years`;
    return [purpose, algorithm, code(domain), holder, certifiedBy, life, revocation];
  });
  const head = [
    "purpose",
    "key",
    "domain string",
    "held by",
    "certified by",
    "life",
    "taken back by",
  ];
  return table(head, rows);
}

const PUSH_PARTS: Readonly<Record<(typeof PUSH_KINDS)[number], string>> = {
  artefact: "the signed manifest, the content",
  keys: "the new keys",
  grants: "the sealed, signed grant list",
};

/** Every table by the name in its mark. */
const TABLES: Readonly<Record<string, () => string>> = {
  "cbor-limits": () =>
    table(
      ["bound", "default"],
      Object.entries(CBOR_LIMITS).map(([name, value]) => [code(name), value.toLocaleString("en")]),
    ),
  keys,
  "vehicle-domains": () =>
    table(
      ["what", "domain string"],
      Object.entries(VEHICLE_DOMAINS).map(([what, domain]) => [what, code(domain)]),
    ),
  "key-certificate": () => structure(keyCertificateCodec),
  channels: () =>
    table(
      ["channel", "sent by", "bytes at most", "carries"],
      Object.entries(CHANNELS).map(([name, { from, bytesMax, doc }]) => [
        code(name),
        from,
        bytesMax.toLocaleString("en"),
        doc,
      ]),
    ),
  signals,
  event: () => structure(eventCodec),
  events,
  opening: () => structure(openingCodec),
  header: () => structure(headerCodec),
  ack: () => structure(ackCodec),
  session: () => structure(sessionCodec),
  command: () => structure(commandCodec),
  actions: () =>
    table(
      ["action", "domain"],
      ACTIONS.map((action) => [code(action), ACTION_DOMAIN[action]]),
    ),
  result: () => structure(resultCodec),
  artefact: () => structure(artefactCodec),
  "grant-list": () => structure(grantListCodec),
  "carried-grant": () => structure(carriedGrantCodec),
  time: () => structure(timeAnswerCodec),
  "key-push": () => structure(keyPushCodec),
  succession: () => structure(successionCodec),
  pushes: () =>
    table(
      ["kind", "what", "parts"],
      PUSH_KINDS.map((kind, i) => [String(i), code(kind), PUSH_PARTS[kind]]),
    ),
  "rental-policy": () => structure(rentalPolicyCodec),
  "lock-messages": () => linkMessages(LOCK_MESSAGES),
  "lock-layouts": () => linkLayouts(LOCK_MESSAGES),
  "reader-messages": () => linkMessages(READER_MESSAGES),
  "reader-layouts": () => linkLayouts(READER_MESSAGES),
  "phone-challenge": () => structure(phoneChallengeCodec),
  "phone-answer": () => [phoneAnswerCodec, phoneStatementCodec].map(structure).join("\n\n"),
  errors: () =>
    table(
      ["code", "may have succeeded", "temporary", "words"],
      Object.entries(ERRORS).map(([name, { mayHaveSucceeded, temporary, words }]) => [
        code(name),
        yesNo(mayHaveSucceeded),
        yesNo(temporary),
        words,
      ]),
    ),
};

function main(check: boolean): number {
  const before = readFileSync(page, "utf8");
  const seen = new Set<string>();
  const marks = /<!-- table ([\w-]+) -->\n.*?<!-- end -->/gs;
  const after = before.replace(marks, (_, name: string) => {
    seen.add(name);
    const print = TABLES[name];
    if (print === undefined) throw new Error(`protocol.md: no table ${name}`);
    return `<!-- table ${name} -->\n${print()}\n<!-- end -->`;
  });
  const missing = Object.keys(TABLES).filter((name) => !seen.has(name));
  if (missing.length > 0) throw new Error(`protocol.md: no place for ${missing.join(", ")}`);
  if (!check) writeFileSync(page, after);
  if (!check || after === before) return 0;
  process.stderr.write("protocol.md differs from the schemas: run node scripts/protocol-docs.ts\n");
  return 1;
}

process.exitCode = main(process.argv.includes("--check"));
