/**
 * Mutants that no test kills and none has to: each with the reason why it changes nothing that matters. A row names its
 * mutant by file, line of text and change, not by number, so that it holds while the file moves; one that matches no
 * survivor any more is reported, so that none outlives its reason.
 */
import { type Explained, NO_BOOKING, NOT_UP } from "./explained.ts";
import type { Mutant } from "./mutants.ts";
import { described } from "./mutants.ts";
import { IMMOBILISER } from "./survivors-immobiliser.ts";
import { TWO_COPIES } from "./survivors-two-copies.ts";

const NOT_HELD = "All that is asked of it later is whether it is held.";
const TOP_BYTE = "A safe integer has 53 bits: the first of eight bytes is 0, as it was.";
const WIPED = "What is wiped from memory nobody can look for.";
const NO_MATCH = "Where it does not match, it is refused before anything stands in for its parts.";
const NOT_ONE_BYTE = "No envelope is one byte long, and what is none is refused as it is opened.";
const UNSAID = "A field that is undefined and one that is not there are written and read alike.";
const NOT_A_LOCK = "All that is asked of it is whether it is a lock.";
const MS_OF_BOOT =
  "Within a millisecond of the start nobody is served, and later the time since then is longer.";

export const EXPLAINED: readonly Explained[] = [
  ...IMMOBILISER,
  ...TWO_COPIES,
  {
    file: "device/access/desk.ts",
    inLine: "const listed = grantsOfPhone(grants.list()?.grants ?? [], publicKey);",
    change: '[] → ["mutant"]',
    why: "What stands in for a list that is not there is searched for phones, and a text has none.",
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
    file: "device/access/desk.ts",
    inLine: 'if (atMs === undefined || time.value === "unknown") return 0;',
    change: "0 → 1",
    why: MS_OF_BOOT,
  },
  {
    file: "device/access/desk.ts",
    inLine: "return Math.max(0, time.wallMs - time.doubtMs - atMs);",
    change: "0 → 1",
    why: MS_OF_BOOT,
  },
  {
    file: "device/access/evaluate.ts",
    inLine: 'if (from !== "held" || rental.value === "none") return false;',
    change: 'rental.value === "none" → false',
    why: NO_BOOKING,
  },
  {
    file: "device/access/evaluate.ts",
    inLine: 'if (from !== "held" || rental.value === "none") return false;',
    change: '"none" → ""',
    why: NO_BOOKING,
  },
  {
    file: "device/access/phone-proof.ts",
    inLine:
      "const isIts = grant.phone !== undefined && equalBytes(grant.phone.publicKey, publicKey);",
    change: "grant.phone !== undefined → true",
    why: "A carried grant that is no phone's is refused as it is opened: the types do not know that.",
  },
  {
    file: "device/access/record.ts",
    inLine: "const at = triedAtMs === undefined ? {} : { triedAtMs };",
    change: "triedAtMs === undefined → false",
    why: UNSAID,
  },
  {
    file: "device/access/tap.ts",
    inLine: 'const booking = rental.value === "open" ? rental.booking : undefined;',
    change: 'rental.value === "open" → true',
    why: NO_BOOKING,
  },
  {
    file: "device/access/tap.ts",
    inLine:
      "const isIn = booking !== undefined && offered.some(({ grant }) => grant.booking === booking);",
    change: "booking !== undefined → true",
    why: "Every grant has a booking: none is equal to none.",
  },
  {
    file: "device/access/tap.ts",
    inLine: 'if (failed === "lock") return "unlock";',
    change: '"unlock" → ""',
    why: NOT_A_LOCK,
  },
  {
    file: "device/access/tap.ts",
    inLine: 'if (failed === "unlock" && driver === "yes" && all === "no") return "lock";',
    change: 'driver === "yes" → true',
    why: "Where the driver's bolt is not seen locked and one is open, what is seen asks for a lock as well.",
  },
  {
    file: "device/access/tap.ts",
    inLine: 'return seen === "no" ? "lock" : "unlock";',
    change: '"unlock" → ""',
    why: NOT_A_LOCK,
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
    file: "device/uplink/key-ring.ts",
    inLine: "const spare = spareKey === undefined ? {} : { spareKey };",
    change: "spareKey === undefined → false",
    why: UNSAID,
  },
  {
    file: "device/uplink/key-ring.ts",
    inLine: "...(spareKey === undefined ? {} : { spareKey }),",
    change: "spareKey === undefined → false",
    why: UNSAID,
  },
  {
    file: "shared/protocol/ids.ts",
    inLine: "export const bookingCodec: Codec<string> = text(40, ID_PATTERN);",
    change: "40 → 41",
    why: "The pattern itself ends after 40.",
  },
  {
    file: "shared/protocol/schema.ts",
    inLine: 'const entry = typeof key === "number" ? byKey.get(key) : undefined;',
    change: 'typeof key === "number" → true',
    why: "No field has a text for its key, so a text finds none.",
  },
  {
    file: "cloud/ingest/log-keys.ts",
    inLine: "if (this.#last.index <= wanted && this.#last.index >= index) return this.#last;",
    change: ">= → >",
    why: "Where it was last at a place, it is that place which is kept there.",
  },
  {
    file: "cloud/ingest/segment.ts",
    inLine: "content.catch(() => undefined);",
    change: "content.catch(() => undefined); → ;",
    why: "What nobody hears of ends the process: openers.test.ts sees it, with threads, which take seconds.",
  },
  {
    file: "shared/protocol/lanes.ts",
    inLine: 'return typeof value === "string" && (LANES as readonly string[]).includes(value);',
    change: 'typeof value === "string" → true',
    why: "The list has texts alone, and whatever is none is not in it.",
  },
  {
    file: "shared/protocol/segment-message.ts",
    inLine: "const [header, body, opening, ...rest] = Array.isArray(parts) ? parts : [];",
    change: '[] → ["mutant"]',
    why: "A text in the place of the header is refused as nothing there is.",
  },
  {
    file: "cloud/ingest/log-keys.ts",
    inLine: "this.#last = { index: 0, ratchet: start };",
    change: "{ index: 0, ratchet: start } → {}",
    why: "Where it was nowhere yet the nearest place is the start as well.",
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine:
      'const [, label, params = "", names = "", said = ""] = INPUT.exec(signatureInput) ?? [];',
    change: '"" → "mutant"',
    why: NO_MATCH,
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine:
      'const [, label, params = "", names = "", said = ""] = INPUT.exec(signatureInput) ?? [];',
    change: '[] → ["mutant"]',
    why: NO_MATCH,
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine: 'const [, signedLabel, encoded = ""] = SIGNATURE.exec(signature) ?? [];',
    change: '"" → "mutant"',
    why: NO_MATCH,
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine: 'const [, signedLabel, encoded = ""] = SIGNATURE.exec(signature) ?? [];',
    change: '[] → ["mutant"]',
    why: NO_MATCH,
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine:
      'if (label === undefined || signedLabel !== label) throw wrong("one signature with its input");',
    change: "label === undefined → false",
    why: "Where neither reads as it must, no component is known, and it is refused by that.",
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine: 'const text = (name: string): string => parts.find(([, n]) => n === name)?.[3] ?? "";',
    change: '"" → "mutant"',
    why: "What is missing is refused as missing, whatever stands in for it.",
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine: 'const digest = DIGEST.exec(proof.contentDigest ?? "")?.[1];',
    change: '"" → "mutant"',
    why: "Neither of the two reads as a digest.",
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine: "const curve = key.asymmetricKeyDetails?.namedCurve;",
    change: "?. → .",
    why: "Every key of this kind has details; the types alone ask.",
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine:
      'if (key.asymmetricKeyType === "ec" && curve === "prime256v1") return "ecdsa-p256-sha256";',
    change: 'key.asymmetricKeyType === "ec" → true',
    why: "No other kind of key has a curve of that name.",
  },
  {
    file: "cloud/commands/signer/request-signature.ts",
    inLine: 'const hash = algorithm === "ed25519" ? null : "sha256";',
    change: 'algorithm === "ed25519" → true',
    why: "Where none is named, OpenSSL takes SHA-256 for a key on P-256.",
  },
];

export const explains = (row: Explained, mutant: Mutant): boolean =>
  row.file === mutant.file && row.inLine === mutant.inLine && row.change === described(mutant);
