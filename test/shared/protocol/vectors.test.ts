import {
  ackCodec,
  ackKeyOf,
  aeadOpen,
  aeadSeal,
  artefactCodec,
  type CborValue,
  type Codec,
  certifyKey,
  checkPossession,
  commandCodec,
  cryptoReady,
  decode,
  decodeCbor,
  decodeEvent,
  encode,
  encodeCbor,
  encodeEvent,
  encodeOpeningRequest,
  headerCodec,
  isEventKind,
  keyCertificateCodec,
  keyIdOf,
  LANES,
  type LogIdentity,
  openArtefact,
  openCommand,
  openHeader,
  openingCodec,
  openKeyCertificate,
  openOpening,
  openResult,
  openSession,
  openSign1,
  parseAck,
  parseOpeningRequest,
  parseSign1,
  parseTopic,
  possessionBytes,
  provePossession,
  type RowPlace,
  ratchetNext,
  ratchetStart,
  requestHashOf,
  resultCodec,
  rowBinding,
  rowKeyOf,
  rowNonce,
  type SigningKey,
  sealAck,
  sessionCodec,
  sign1,
  signArtefact,
  signCommand,
  signHeader,
  signingKey,
  signOpening,
  signResult,
  signSession,
  tenantId,
  toHex,
  topicOf,
  unseal,
  upTopicOf,
  type VerifyKey,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Vector, vector, vectorNames } from "./vectors.ts";

await cryptoReady();

const used = new Set<string>();
function golden(name: string): Vector {
  used.add(name);
  return vector(name);
}
const same = (actual: Uint8Array, expected: Uint8Array): void =>
  assert.is(toHex(actual), toHex(expected));
const refused = (run: () => unknown, code: string): void =>
  assert.throws(run, (error: { code?: string }) => error.code === code);

/** A JSON value as what the code takes. The codecs refuse what is not of the type, so a wrong vector fails. */
function typed<T>(v: Vector, name: string): T {
  return v.json(name) as T;
}

test("vector cbor-values: one list of many values", () => {
  const v = golden("cbor-values");
  same(encodeCbor(typed<CborValue>(v, "value")), v.hex("bytes"));
  assert.equal(decodeCbor(v.hex("bytes")), v.json("value"));
});

test("vector cbor-map: the order of keys", () => {
  const v = golden("cbor-map");
  const map = new Map(typed<[number | string, CborValue][]>(v, "entries"));
  same(encodeCbor(map), v.hex("bytes"));
  const back = decodeCbor(v.hex("bytes"));
  assert.ok(back instanceof Map && back.size === map.size);
  for (const [key, value] of map) assert.is(back instanceof Map && back.get(key), value);
});

for (const why of golden("cbor-refused").names)
  test(`vector cbor-refused: ${why}`, () => {
    refused(() => decodeCbor(golden("cbor-refused").hex(why)), "malformed");
  });

test("vector cose: envelope, key id and what is signed", () => {
  const v = golden("cose");
  const key = signingKey(v.hex("seed"));
  const envelope = v.hex("envelope");
  same(key.publicKey, v.hex("public key"));
  same(keyIdOf(key.publicKey), v.hex("key id"));
  same(sign1(key, v.text("domain"), v.hex("payload")), envelope);
  same(key.sign(v.hex("signed bytes")), parseSign1(envelope).signature);
  same(openSign1(verifyKey(key.publicKey), v.text("domain"), envelope), v.hex("payload"));
  refused(() => openSign1(verifyKey(key.publicKey), "another", envelope), "unauthenticated");
});

type Signed<T> = {
  readonly name: string;
  readonly codec: Codec<T>;
  readonly sign: (key: SigningKey, value: T) => Uint8Array;
  readonly open: (key: VerifyKey, envelope: Uint8Array, v: Vector) => T;
};

function signed<T>({ name, codec, sign, open }: Signed<T>): void {
  test(`vector ${name}: payload and envelope both ways, and no bit of it changed`, () => {
    const v = golden(name);
    const key = signingKey(v.hex("seed"));
    const value = typed<T>(v, "value");
    const envelope = v.hex("envelope");
    same(encode(codec, value), v.hex("payload"));
    assert.equal(decode(codec, v.hex("payload")), value);
    same(sign(key, value), envelope);
    assert.equal(open(verifyKey(key.publicKey), envelope, v), value);
    for (let at = 0; at < envelope.length; at += 1) {
      const changed = envelope.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      assert.throws(() => open(verifyKey(key.publicKey), changed, v), `byte ${at}`);
    }
  });
}

const certified = { tenant: tenantId("demo"), purpose: "command" } as const;
signed({
  name: "key-certificate",
  codec: keyCertificateCodec,
  sign: certifyKey,
  open: (key, envelope) => openKeyCertificate(key, certified, envelope),
});
signed({ name: "opening", codec: openingCodec, sign: signOpening, open: openOpening });
signed({ name: "segment", codec: headerCodec, sign: signHeader, open: openHeader });
signed({ name: "gap", codec: headerCodec, sign: signHeader, open: openHeader });
signed({ name: "session", codec: sessionCodec, sign: signSession, open: openSession });
signed({ name: "command", codec: commandCodec, sign: signCommand, open: openCommand });
signed({ name: "result", codec: resultCodec, sign: signResult, open: openResult });
signed({ name: "session-full", codec: sessionCodec, sign: signSession, open: openSession });
signed({
  name: "artefact",
  codec: artefactCodec,
  sign: signArtefact,
  open: (key, envelope, v) => openArtefact(key, envelope, v.hex("content")),
});

test("vector key-certificate: is refused for another tenant or purpose", () => {
  const v = golden("key-certificate");
  const key = verifyKey(signingKey(v.hex("seed")).publicKey);
  const open = (tenant: string, purpose: "command" | "ingest") => () =>
    openKeyCertificate(key, { tenant: tenantId(tenant), purpose }, v.hex("envelope"));
  refused(open("other", "command"), "forbidden");
  refused(open("demo", "ingest"), "forbidden");
});

test("vector artefact: is refused with other content", () => {
  const v = golden("artefact");
  const key = verifyKey(signingKey(v.hex("seed")).publicKey);
  refused(() => openArtefact(key, v.hex("envelope"), new Uint8Array()), "unauthenticated");
});

for (const topic of golden("topics").names)
  test(`vector topics: ${topic}`, () => {
    const parsed = parseTopic(topic);
    assert.equal(parsed, golden("topics").json(topic));
    const { channel, lane } = parsed;
    const again =
      channel !== "up"
        ? topicOf(parsed, channel)
        : lane === undefined
          ? ""
          : upTopicOf(parsed, lane);
    assert.is(again, topic);
  });

for (const name of ["event-lock", "event-position", "event-signals"])
  test(`vector ${name}`, () => {
    const v = golden(name);
    const event = typed<Parameters<typeof encodeEvent>[0]>(v, "value");
    assert.ok(isEventKind(event.kind));
    same(encodeEvent(event), v.hex("bytes"));
    assert.equal(decodeEvent(v.hex("bytes")), event);
  });

test("vector opening: the sealed root opens with the ingest key", () => {
  const v = golden("opening");
  const { sealedRoot } = typed<{ sealedRoot: Uint8Array }>(v, "value");
  same(unseal(sealedRoot, v.hex("ingest public key"), v.hex("ingest private key")), v.hex("root"));
});

test("vector log-keys: from the root to the row key", () => {
  const v = golden("log-keys");
  const of = typed<LogIdentity>(v, "identity");
  const root = v.hex("root");
  same(ackKeyOf(root, of), v.hex("acknowledgement key"));
  for (const lane of LANES) same(ratchetStart(root, of, lane), v.hex(`ratchet 0 of ${lane}`));
  const next = ratchetNext(v.hex("ratchet 0 of state"));
  same(next, v.hex("ratchet 1 of state"));
  same(rowKeyOf(next), v.hex("row key of state at 1"));
  for (const other of [
    { ...of, vehicle: vehicleId("car-8") },
    { ...of, tenant: tenantId("other") },
    { ...of, log: new Uint8Array(16) },
  ])
    assert.is.not(toHex(ratchetStart(root, other, "state")), v.text("ratchet 0 of state"));
});

test("vector row: sealed by the car, opened by ingest, bound to its place", () => {
  const v = golden("row");
  const place = typed<RowPlace>(v, "place");
  const key = v.hex("row key");
  same(rowNonce(place.seq), v.hex("nonce"));
  same(rowBinding(place), v.hex("associated data"));
  same(aeadSeal(key, v.hex("nonce"), v.hex("plain"), v.hex("associated data")), v.hex("row"));
  same(aeadOpen(key, v.hex("nonce"), v.hex("row"), v.hex("associated data")), v.hex("plain"));
  const others: RowPlace[] = [
    { ...place, segment: place.segment + 1 },
    { ...place, seq: place.seq + 1 },
    { ...place, lane: "track" },
    { ...place, log: new Uint8Array(16) },
  ];
  for (const other of others)
    refused(
      () => aeadOpen(key, v.hex("nonce"), v.hex("row"), rowBinding(other)),
      "unauthenticated",
    );
});

test("vector opening-request: asked by ingest, and no acknowledgement", () => {
  const v = golden("opening-request");
  const value = typed<Parameters<typeof encodeOpeningRequest>[0]>(v, "value");
  same(encodeOpeningRequest(value), v.hex("message"));
  assert.equal(parseOpeningRequest(v.hex("message")), value);
  assert.is(parseOpeningRequest(golden("ack").hex("message")), undefined);
  assert.throws(() => parseAck(v.hex("message")), /acknowledgement/);
});

test("vector ack: made by ingest, believed by the car only whole", () => {
  const v = golden("ack");
  const key = v.hex("acknowledgement key");
  const value = typed<Parameters<typeof sealAck>[1]>(v, "value");
  const message = v.hex("message");
  same(encode(ackCodec, value), v.hex("payload"));
  same(sealAck(key, value), message);
  const { ack, verify } = parseAck(message);
  assert.equal(ack, value);
  assert.ok(verify(key));
  assert.not(verify(new Uint8Array(32)));
  const believed = (bytes: Uint8Array): boolean => {
    try {
      return parseAck(bytes).verify(key);
    } catch {
      return false;
    }
  };
  for (let bit = 0; bit < message.length * 8; bit += 1) {
    const changed = message.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.not(believed(changed), `bit ${bit}`);
  }
});

test("vector command: the hash that binds the result", () => {
  const v = golden("command");
  same(requestHashOf(v.hex("envelope")), v.hex("request hash"));
  const { requestHash } = typed<{ requestHash: Uint8Array }>(golden("result"), "value");
  same(requestHash, v.hex("request hash"));
});

test("vector possession: bound to tenant, vehicle and request", () => {
  const v = golden("possession");
  const key = signingKey(v.hex("seed"));
  const address = typed<LogIdentity>(v, "address");
  const csr = v.text("csr");
  const proof = v.hex("signature");
  same(possessionBytes(address, csr), v.hex("signed bytes"));
  same(provePossession(key, address, csr), proof);
  const check = verifyKey(key.publicKey);
  assert.ok(checkPossession(check, address, csr, proof));
  assert.not(checkPossession(check, { ...address, vehicle: vehicleId("x") }, csr, proof));
  assert.not(checkPossession(check, address, `${csr}\n`, proof));
});

/** In segment-vectors.test.ts, pushed-vectors.test.ts and card-auth.test.ts. */
const ELSEWHERE = new Set([
  ...["columns", "columns-packed", "column-codes", "gap"],
  ...["grant-list", "carried-grant", "time", "key-push", "push"],
  ...["card-authentication", "card-key"],
]);

test("every vector of the page was used here, or has a test of its own", () => {
  const left = vectorNames.filter(
    (name) => !used.has(name) && !ELSEWHERE.has(name) && !/^(?:lock|card)-/.test(name),
  );
  assert.equal(left, []);
});

test.run();
