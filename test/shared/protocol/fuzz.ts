/**
 * What reads bytes that a stranger may have made, each with golden bytes to start from. A target may refuse with a
 * ProtocolError; any other error is a bug, and so is a value that does not come back as the same bytes.
 */
import {
  ackCodec,
  applyKeyPush,
  artefactCodec,
  type CborValue,
  type Codec,
  carriedGrantCodec,
  commandCodec,
  decode,
  decodeCbor,
  decodeColumns,
  decodeEvent,
  decodeRows,
  encode,
  encodeCbor,
  encodeEvent,
  encodePush,
  encodeSegmentMessage,
  grantListCodec,
  headerCodec,
  keyCertificateCodec,
  keyIdOf,
  LockLinkDecoder,
  LockLinkSession,
  openCommand,
  openHeader,
  openingCodec,
  openKeyCertificate,
  openOpening,
  openResult,
  openSession,
  ProtocolError,
  parseAck,
  parseClientId,
  parsePush,
  parseSegmentMessage,
  parseSign1,
  parseTopic,
  resultCodec,
  type SegmentMessage,
  sessionCodec,
  shortenSegmentMessage,
  signingKey,
  type TrustedKeys,
  tenantId,
  timeAnswerCodec,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { CONTROLLER_ID, countedBytes, PAIRING_KEY } from "./lock-pair.ts";
import { vector } from "./vectors.ts";

export type FuzzTarget = {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Throws anything but a ProtocolError where it found a bug. */
  readonly read: (bytes: Uint8Array) => void;
};

const car = verifyKey(signingKey(new Uint8Array(32).fill(3)).publicKey);
const signer = verifyKey(signingKey(new Uint8Array(32).fill(2)).publicKey);
const authority = verifyKey(signingKey(new Uint8Array(32).fill(1)).publicKey);
const certified = { tenant: tenantId("demo"), purpose: "command" } as const;
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const envelope = (name: string): readonly Uint8Array[] => [vector(name).hex("envelope")];

function mustBe(actual: Uint8Array, expected: Uint8Array): void {
  if (toHex(actual) !== toHex(expected)) throw new Error(`came back as ${toHex(actual)}`);
}

/** A controller that nobody has greeted: whatever comes in, no message may come out. */
function controllerStaysQuiet(bytes: Uint8Array): void {
  const controller = new LockLinkSession({
    role: "controller",
    pairingKey: PAIRING_KEY,
    id: CONTROLLER_ID,
    firmware: { major: 1, minor: 0, patch: 0 },
    random: countedBytes(1),
  });
  for (let nowMs = 0; nowMs < 3; nowMs += 1) {
    const { messages } = controller.receive(bytes, nowMs);
    if (messages.length > 0) throw new Error("a message came out");
  }
}

/** What a signer could have signed: the payload is read by its schema, and comes back as it was. */
function schema<T>(name: string, codec: Codec<T>): FuzzTarget {
  return {
    name: `decode ${codec.describe}`,
    seeds: [vector(name).hex("payload")],
    read: (bytes) => mustBe(encode(codec, decode(codec, bytes)), bytes),
  };
}

const pinnedKeys: TrustedKeys = {
  tenant: certified.tenant,
  authorityVersion: 1,
  authorityKey: signingKey(vector("key-push").hex("authority seed")).publicKey,
  spareKey: signingKey(vector("key-push").hex("spare seed")).publicKey,
  keys: {},
};

const SENDER = {
  tenant: tenantId("demo"),
  vehicle: vehicleId("car-7"),
  keyId: keyIdOf(signingKey(vector("segment").hex("seed")).publicKey),
};

/** In the form that it came in. */
function again(bytes: Uint8Array, message: SegmentMessage): Uint8Array {
  const isPlain = bytes[0] === 0x83;
  return isPlain ? encodeSegmentMessage(message) : shortenSegmentMessage(message);
}

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  schema("key-certificate", keyCertificateCodec),
  schema("opening", openingCodec),
  schema("segment", headerCodec),
  schema("ack", ackCodec),
  schema("session", sessionCodec),
  schema("command", commandCodec),
  schema("result", resultCodec),
  schema("artefact", artefactCodec),
  schema("session-full", sessionCodec),
  schema("grant-list", grantListCodec),
  schema("carried-grant", carriedGrantCodec),
  schema("time", timeAnswerCodec),
  {
    name: "parsePush",
    seeds: ["artefact", "keys", "grants"].map((kind) => vector("push").hex(kind)),
    read: (bytes) => mustBe(encodePush(parsePush(bytes)), bytes),
  },
  {
    name: "applyKeyPush",
    seeds: [vector("key-push").hex("message")],
    read: (bytes) => applyKeyPush(pinnedKeys, bytes),
  },
  {
    name: "decodeColumns",
    seeds: [vector("columns").hex("deflated")],
    read: (bytes) => decodeColumns(bytes, 3),
  },
  {
    name: "decodeColumns, packed",
    seeds: [vector("columns-packed").hex("packed")],
    read: (bytes) => decodeColumns(bytes, 9),
  },
  {
    name: "decodeCbor",
    seeds: ["cbor-values", "cbor-map"].map((name) => vector(name).hex("bytes")),
    read: (bytes) => mustBe(encodeCbor(decodeCbor(bytes)), bytes),
  },
  {
    name: "decodeEvent",
    seeds: ["event-lock", "event-position", "event-signals"].map((name) =>
      vector(name).hex("bytes"),
    ),
    read: (bytes) => mustBe(encodeEvent(decodeEvent(bytes)), bytes),
  },
  {
    name: "parseSegmentMessage",
    seeds: [vector("segment").hex("message"), vector("segment").hex("short message")],
    read: (bytes) => mustBe(again(bytes, parseSegmentMessage(bytes, SENDER)), bytes),
  },
  { name: "decodeRows", seeds: [vector("segment").hex("body")], read: (b) => decodeRows(b, 1) },
  {
    name: "parseSign1",
    seeds: envelope("result"),
    read: (bytes) => {
      const { protectedHeader, payload, signature } = parseSign1(bytes);
      mustBe(encodeCbor([protectedHeader, new Map(), payload, signature]), bytes);
    },
  },
  { name: "openHeader", seeds: envelope("segment"), read: (b) => openHeader(car, b) },
  { name: "openOpening", seeds: envelope("opening"), read: (b) => openOpening(car, b) },
  { name: "openSession", seeds: envelope("session"), read: (b) => openSession(car, b) },
  { name: "openResult", seeds: envelope("result"), read: (b) => openResult(car, b) },
  { name: "openCommand", seeds: envelope("command"), read: (b) => openCommand(signer, b) },
  {
    name: "openKeyCertificate",
    seeds: envelope("key-certificate"),
    read: (bytes) => openKeyCertificate(authority, certified, bytes),
  },
  { name: "parseAck", seeds: [vector("ack").hex("message")], read: (bytes) => parseAck(bytes) },
  {
    name: "parseTopic",
    seeds: vector("topics").names.map((topic) => Uint8Array.from(Buffer.from(topic))),
    read: (bytes) => parseTopic(textOf(bytes)),
  },
  {
    name: "parseClientId",
    seeds: [Uint8Array.from(Buffer.from("demo.car-7"))],
    read: (bytes) => parseClientId(textOf(bytes)),
  },
  {
    name: "LockLinkDecoder",
    seeds: ["lock-frame", "lock-status", "lock-result"].map((name) => vector(name).hex("bytes")),
    read: (bytes) => new LockLinkDecoder().push(bytes),
  },
  {
    name: "LockLinkSession",
    seeds: ["hello frame", "welcome frame"].map((name) => vector("lock-greeting").hex(name)),
    read: controllerStaysQuiet,
  },
];

const SPLICE_MAX = 12;

/** Sound CBOR that nobody expects in that place. */
const ODD: readonly CborValue[] = [
  null,
  true,
  0,
  -1,
  2 ** 53 - 1,
  2n ** 64n - 1n,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "",
  "__proto__",
  new Uint8Array(),
  new Uint8Array(64),
  [],
  [[], [], [], []],
  new Map(),
  new Map<number | string, CborValue>([
    [0, 0],
    ["constructor", null],
  ]),
];

/** Damage that keeps to CBOR: something odd in place of a part, beside it, or of the whole; or a part left out. */
export function restructured(seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  const odd = (): CborValue => ODD[below(ODD.length)] ?? null;
  const change = (value: CborValue, depth: number): CborValue => {
    const inside = depth < 4 && below(4) > 0;
    if (Array.isArray(value) && value.length > 0 && inside) {
      const items: CborValue[] = [...value];
      const at = below(items.length);
      const kind = below(4);
      if (kind === 0) items.splice(at, 1);
      else if (kind === 1) items.splice(at, 0, odd());
      else items[at] = change(items[at] ?? null, depth + 1);
      return items;
    }
    if (value instanceof Map && value.size > 0 && inside) {
      const map = new Map<number | string, CborValue>(value);
      const key = [...map.keys()][below(map.size)] ?? 0;
      const kind = below(4);
      if (kind === 0) map.delete(key);
      else if (kind === 1) map.set(below(40), odd());
      else map.set(key, change(map.get(key) ?? null, depth + 1));
      return map;
    }
    return odd();
  };
  const seed = seeds[below(seeds.length)] ?? new Uint8Array();
  try {
    return encodeCbor(change(decodeCbor(seed), 0));
  } catch (error) {
    if (error instanceof ProtocolError) return encodeCbor(odd());
    throw error;
  }
}

/** One to five damages: bits, bytes that mean something in CBOR, pieces cut out, doubled, or put in from elsewhere. */
export function damaged(seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  const seed = (): number[] => [...(seeds[below(seeds.length)] ?? [])];
  const bytes = seed();
  for (let hits = 1 + below(5); hits > 0; hits -= 1) {
    const at = below(bytes.length);
    const other = seed();
    const from = below(other.length);
    const kind = below(6);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    else if (kind === 1)
      bytes[at] = [0, 0x1b, 0x5f, 0x9f, 0xbf, 0xc2, 0xd8, 0xf7, 0xfb, 0xff][below(10)] ?? 0;
    else if (kind === 2) bytes.splice(at, 1 + below(SPLICE_MAX));
    else if (kind === 3) bytes.splice(at, 0, ...bytes.slice(at, at + 1 + below(SPLICE_MAX)));
    else if (kind === 4)
      bytes.splice(at, below(SPLICE_MAX), ...other.slice(from, from + SPLICE_MAX));
    else bytes.length = at;
  }
  return Uint8Array.from(bytes);
}

/** Runs a target; answers whether it accepted, and throws what is a bug. */
export function accepts(target: FuzzTarget, bytes: Uint8Array): boolean {
  try {
    target.read(bytes);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
