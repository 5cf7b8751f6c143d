/**
 * Mutants that no test kills and none has to: each with the reason why it changes nothing that matters. A row names its
 * mutant by file, line of text and change, not by number, so that it holds while the file moves; one that matches no
 * survivor any more is reported, so that none outlives its reason.
 */
import type { Mutant } from "./mutants.ts";
import { described } from "./mutants.ts";

export type Explained = {
  readonly file: string;
  /** The line the change begins in, without the blanks around it. */
  readonly inLine: string;
  /** As the run prints it: `was → is`. */
  readonly change: string;
  readonly why: string;
};

/** Reasons that several rows have. */
const NO_BOOKING = "What is no open rental has no booking: the types ask which it is.";
const NO_PHASE = "What is no open rental has no phase: the types ask which it is.";
const NOT_HELD = "All that is asked of it later is whether it is held.";
const NOT_UP = "A line that is not up takes no message.";
const BEGUN =
  "Each step gives work to be performed, whose outcome takes its place before it is read.";
const TOP_BYTE = "A safe integer has 53 bits: the first of eight bytes is 0, as it was.";
const WIPED = "What is wiped from memory nobody can look for.";
const NOT_ONE_BYTE = "No envelope is one byte long, and what is none is refused as it is opened.";
const NOT_SO_LONG = "The longest policy that its own schema lets through is shorter.";

export const EXPLAINED: readonly Explained[] = [
  {
    file: "device/access/desk.ts",
    inLine: "const listed = grantsOfPhone(grants.list()?.grants ?? [], publicKey);",
    change: '[] → ["mutant"]',
    why: "What stands in for a list that is not there is searched for phones, and a text has none.",
  },
  {
    file: "device/immobiliser/can-lock-gate.ts",
    inLine:
      "const value = counter === undefined ? 0 : (count % 2 ** counter.bits) << counter.shift;",
    change: "0 → 1",
    why: "Without a counter no byte takes the value.",
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: "const { waitMs = 0 } = command;",
    change: "0 → 1",
    why: "Only a command that says how long it may wait is ever armed; the types do not know that.",
  },
  {
    file: "device/immobiliser/interlocks.ts",
    inLine:
      'return { pulses: rest, senses: "unlock", lacks: !rest.every((one) => abilities.has(one)) };',
    change: "every → some",
    why: "One pulse is left of this action where nothing is to be released: all and any are the same.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'Promise.reject(Object.assign(new Error("port closed"), { canceled: true }));',
    change: "{ canceled: true } → {}",
    why: "It ends a read of a port that is closed: the stream is at its end by then, a fault or not.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'Promise.reject(Object.assign(new Error("port closed"), { canceled: true }));',
    change: "true → false",
    why: "It ends a read of a port that is closed: the stream is at its end by then, a fault or not.",
  },
  {
    file: "device/access/desk.ts",
    inLine:
      'await this.#options.record.release(rental.value === "open" ? rental.booking : undefined);',
    change: 'rental.value === "open" → true',
    why: NO_BOOKING,
  },
  {
    file: "device/access/desk.ts",
    inLine: 'offered.push({ grant, from: "listed" });',
    change: '"listed" → ""',
    why: NOT_HELD,
  },
  {
    file: "device/access/desk.ts",
    inLine: '...listed.map((grant): OfferedGrant => ({ grant, from: "listed" })),',
    change: '"listed" → ""',
    why: NOT_HELD,
  },
  {
    file: "device/access/desk.ts",
    inLine: 'if (typeof brought === "object") offered.push({ grant: brought, from: "carried" });',
    change: '"carried" → ""',
    why: NOT_HELD,
  },
  {
    file: "device/access/desk.ts",
    inLine:
      'else if (now.value === "open" && now.booking === grant.booking && status === "executed")',
    change: 'now.value === "open" → true',
    why: NO_BOOKING,
  },
  {
    file: "device/access/desk.ts",
    inLine:
      'rental.value === "open" && offered.some(({ grant }) => grant.booking === rental.booking);',
    change: 'rental.value === "open" → true',
    why: NO_BOOKING,
  },
  {
    file: "device/access/grant-store.ts",
    inLine: "if (content === undefined || stored === undefined) return;",
    change: "content === undefined → false",
    why: "What is not there was not read either: the types do not know that.",
  },
  {
    file: "device/access/phone-proof.ts",
    inLine: '...(time.value === "known" ? { wallMs: time.wallMs } : {}),',
    change: 'time.value === "known" → true',
    why: "A time that is unknown has no figure, and what has none is left out.",
  },
  {
    file: "device/access/reader-driver.ts",
    inLine: '...{ name: "reader", line, session, clock, log },',
    change: '"reader" → ""',
    why: "The name stands in log lines only.",
  },
  {
    file: "device/access/reader-driver.ts",
    inLine: 'if (state === "up") this.#send({ type: "readerStatusRequest" });',
    change: 'state === "up" → true',
    why: NOT_UP,
  },
  {
    file: "device/immobiliser/armed.ts",
    inLine: "this.#held?.timer.cancel();",
    change: "?. → .",
    why: "It is only called while one is held; the types do not know that.",
  },
  {
    file: "device/immobiliser/can-lock-driver.ts",
    inLine: "const LOOK_MS = 20;",
    change: "20 → 21",
    why: "How often it looks is nobody's promise; how long it looks is tested.",
  },
  {
    file: "device/immobiliser/can-lock-driver.ts",
    inLine: "this.#gate.close();",
    change: "this.#gate.close(); → ;",
    why: "Between two actuations nothing asks the gate: it is closed so that nothing ever can.",
  },
  {
    file: "device/immobiliser/can-lock-driver.ts",
    inLine: "await this.#pause(Math.ceil(dueMs - clock.bootMs()));",
    change: "ceil → floor",
    why: "No timer is shorter than 1 ms, and the pauses that are left make up for the part of one.",
  },
  {
    file: "device/immobiliser/car-record.ts",
    inLine: 'credential: optional(2, text(64), { ...personal, doc: "which card or phone" }),',
    change: "64 → 65",
    why: "A credential is a hash of 64 digits: none is longer.",
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: 'let input: OrderInput = { type: "nothing" };',
    change: '{ type: "nothing" } → {}',
    why: BEGUN,
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: 'let input: OrderInput = { type: "nothing" };',
    change: '"nothing" → ""',
    why: BEGUN,
  },
  {
    file: "device/immobiliser/interlocks.ts",
    inLine:
      "const what = missing(rule.condition, END_CONDITION_WORDS[rule.condition], holds, false);",
    change: "false → true",
    why: "What asks for the tenant's conditions never waits, so that it matters to nobody what would come.",
  },
  {
    file: "device/immobiliser/journal.ts",
    inLine:
      'unmet: field(1, list(unmetCodec, 32), { ...internal, doc: "conditions that were not met" }),',
    change: "32 → 33",
    why: "There are fewer conditions than that.",
  },
  {
    file: "device/immobiliser/journal.ts",
    inLine: 'reason: optional(3, text(64), { ...internal, doc: "why it failed" }),',
    change: "64 → 65",
    why: "No reason is as long as that.",
  },
  {
    file: "device/immobiliser/lock-driver.ts",
    inLine: "timer.cancel();",
    change: "timer.cancel(); → ;",
    why: "A promise that is resolved takes no second end.",
  },
  {
    file: "device/immobiliser/lock-driver.ts",
    inLine: 'if (state === "up") this.#line.send({ type: "statusRequest", selfTest: true });',
    change: 'state === "up" → true',
    why: NOT_UP,
  },
  {
    file: "device/immobiliser/rental-desk.ts",
    inLine:
      'return { quality: "good", value: rental.value === "open" ? rental.booking : undefined };',
    change: 'rental.value === "open" → true',
    why: NO_BOOKING,
  },
  {
    file: "device/immobiliser/rental-policy.ts",
    inLine: "const CONTENT_BYTES_MAX = 60 * 1024;",
    change: "60 → 61",
    why: NOT_SO_LONG,
  },
  {
    file: "device/immobiliser/rental-policy.ts",
    inLine: "const CONTENT_BYTES_MAX = 60 * 1024;",
    change: "1024 → 1025",
    why: NOT_SO_LONG,
  },
  {
    file: "device/immobiliser/rental-policy.ts",
    inLine:
      'content: field(1, bytes(0, CONTENT_BYTES_MAX), { ...internal, doc: "as it was signed" }),',
    change: "0 → 1",
    why: "A policy of no bytes is none and was refused before.",
  },
  {
    file: "device/immobiliser/rental.ts",
    inLine: 'const isIdle = rental.value === "open" && rental.phase === "unstarted";',
    change: 'rental.value === "open" → true',
    why: NO_PHASE,
  },
  {
    file: "device/immobiliser/rental.ts",
    inLine:
      'if (rental.value !== "open" || !from.includes(rental.phase)) return { rental, effects: [] };',
    change: 'rental.value !== "open" → false',
    why: NO_PHASE,
  },
  {
    file: "shared/protocol/bytes.ts",
    inLine: "const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) =>",
    change: "256 → 257",
    why: "No byte asks for what the table has beyond it.",
  },
  {
    file: "shared/protocol/bytes.ts",
    inLine: "for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;",
    change: "< → <=",
    why: "Beyond their equal ends both have nothing.",
  },
  {
    file: "shared/protocol/bytes.ts",
    inLine: "for (let i = out.length - 1; i >= 0; i -= 1) {",
    change: ">= → >",
    why: TOP_BYTE,
  },
  {
    file: "shared/protocol/bytes.ts",
    inLine: "for (let i = out.length - 1; i >= 0; i -= 1) {",
    change: "0 → 1",
    why: TOP_BYTE,
  },
  {
    file: "shared/protocol/cose.ts",
    inLine: ": [];",
    change: '[] → ["mutant"]',
    why: "A text in the place of the first part is refused as nothing there is.",
  },
  {
    file: "shared/protocol/crypto.ts",
    inLine: "await sodium.ready;",
    change: "await sodium.ready; → ;",
    why: "It is loaded once a process, which a worker has done before.",
  },
  {
    file: "shared/protocol/crypto.ts",
    inLine: "der.fill(0);",
    change: "der.fill(0); → ;",
    why: WIPED,
  },
  {
    file: "shared/protocol/crypto.ts",
    inLine: "der.fill(0);",
    change: "0 → 1",
    why: WIPED,
  },
  {
    file: "shared/protocol/crypto.ts",
    inLine:
      "return signature.length === SIGNATURE_BYTES && verify(null, data, key.handle, signature);",
    change: "signature.length === SIGNATURE_BYTES → true",
    why: "Ed25519 itself says no to any other length.",
  },
  {
    file: "shared/protocol/key-push.ts",
    inLine: "succession: optional(0, bytes(1, CERTIFICATE_BYTES_MAX), {",
    change: "1 → 2",
    why: NOT_ONE_BYTE,
  },
  {
    file: "device/uplink/key-ring.ts",
    inLine: "certificates: field(4, list(bytes(1, 512), CERTIFIED_PURPOSES.length), {",
    change: "1 → 2",
    why: NOT_ONE_BYTE,
  },
  {
    file: "device/uplink/key-ring.ts",
    inLine: "certificates: field(4, list(bytes(1, 512), CERTIFIED_PURPOSES.length), {",
    change: "512 → 513",
    why: "No certificate that is trusted is as long as that.",
  },
  {
    file: "cloud/ingest/log-keys.ts",
    inLine: "if (steps % STRETCH === 0) await new Promise((resolve) => setImmediate(resolve));",
    change: "0 → 1",
    why: "Others get their turn as often, at other steps.",
  },
  {
    file: "device/immobiliser/order.ts",
    inLine:
      'return apply({ status: "executed", unmet: [], sensed, mayHaveSucceeded: true }, then, durable);',
    change: '[] → ["mutant"]',
    why: "What moves nothing changes the car's records, and then what is flagged takes this place.",
  },
];

export const explains = (row: Explained, mutant: Mutant): boolean =>
  row.file === mutant.file && row.inLine === mutant.inLine && row.change === described(mutant);
