/** The keys that a car trusts, on its disk: what enrolment pinned, what was pushed since, and what a start makes of both. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CERTIFIED_PURPOSES,
  type CertifiedPurpose,
  certifyKey,
  decodeCbor,
  encodeKeyPush,
  ProtocolError,
  randomBytes,
  signingKey,
  signSuccession,
  tenantId,
  toHex,
} from "@kerbside/protocol";
import { KEYS_FILE, type KeyRing, openKeyRing, type PinnedKeys } from "@kerbside/uplink";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite<{ dir: string }>("keys on the car");
const tenant = tenantId("demo");
const key = () => signingKey(randomBytes(32));
const [AUTHORITY, SPARE, NEXT, NEXT_SPARE] = [key(), key(), key(), key()];
const KEYS = Object.fromEntries(CERTIFIED_PURPOSES.map((purpose) => [purpose, key()]));
const publicOf = (purpose: CertifiedPurpose): Uint8Array =>
  KEYS[purpose]?.publicKey ?? new Uint8Array();

function certificate(
  purpose: CertifiedPurpose,
  version = 1,
  { by = AUTHORITY, publicKey = publicOf(purpose) } = {},
): Uint8Array {
  const life = { notBeforeMs: 0, notAfterMs: 1000 };
  return certifyKey(by, { tenant, purpose, version, publicKey, ...life });
}
const PINNED: PinnedKeys = {
  tenant,
  authorityKey: AUTHORITY.publicKey,
  spareKey: SPARE.publicKey,
  certificates: [certificate("command"), certificate("ingest")],
};
const push = (...certificates: readonly Uint8Array[]): Uint8Array =>
  encodeKeyPush({ certificates });
const codeOf = (run: () => unknown): string | undefined => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return undefined;
};
const hexOf = (ring: KeyRing, purpose: Exclude<CertifiedPurpose, "ingest">): string =>
  toHex(ring.key(purpose)?.publicKey ?? new Uint8Array());

test.before.each((f) => {
  f.dir = mkdtempSync(join(tmpdir(), "kerbside-keys-"));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }));

test("what enrolment pinned is trusted, each key for its purpose, and nothing is written", ({
  dir,
}) => {
  const ring = openKeyRing(dir, PINNED);
  assert.is(hexOf(ring, "command"), toHex(publicOf("command")));
  assert.is(ring.key("command"), ring.key("command"), "one handle for one key");
  assert.is(ring.key("grant"), undefined);
  assert.equal(ring.ingestKey(), { version: 1, publicKey: publicOf("ingest") });
  assert.equal(ring.versions(), { authority: 1, command: 1, ingest: 1 });
  assert.not(existsSync(join(dir, KEYS_FILE)));
  assert.is(openKeyRing(dir, { ...PINNED, authorityVersion: 7 }).versions().authority, 7);
});

test("a push is on the disk when it is taken, for its owner only, and outlives a start", ({
  dir,
}) => {
  const ring = openKeyRing(dir, PINNED);
  const next = key();
  const taken = ring.apply(
    push(certificate("command", 2, { publicKey: next.publicKey }), certificate("grant", 4)),
  );
  assert.equal([...taken], ["command", "grant"]);
  for (const one of [ring, openKeyRing(dir, PINNED)]) {
    assert.is(hexOf(one, "command"), toHex(next.publicKey));
    assert.is(hexOf(one, "grant"), toHex(publicOf("grant")));
    assert.equal(one.ingestKey().publicKey, publicOf("ingest"), "the others stay");
    assert.equal(one.versions(), { authority: 1, command: 2, ingest: 1, grant: 4 });
  }
  assert.is(KEYS_FILE, "trusted-keys");
  assert.is(statSync(join(dir, KEYS_FILE)).mode & 0o777, 0o600);
});

test("a car that was given no spare has none after a start either", ({ dir }) => {
  const { spareKey: _spare, ...pinned } = PINNED;
  openKeyRing(dir, pinned).apply(push(certificate("command", 2)));
  const ring = openKeyRing(dir, pinned);
  assert.equal(ring.versions(), { authority: 1, command: 2, ingest: 1 });
  const keys = { authorityKey: NEXT.publicKey, spareKey: NEXT_SPARE.publicKey };
  const succession = signSuccession(SPARE, { tenant, version: 2, ...keys });
  const certificates = [certificate("command", 3, { by: NEXT })];
  const lost = encodeKeyPush({ succession, certificates });
  assert.is(
    codeOf(() => ring.apply(lost)),
    "unauthenticated",
  );
});

test("what changes nothing writes nothing; what is refused changes nothing", ({ dir }) => {
  const ring = openKeyRing(dir, PINNED);
  assert.equal([...ring.apply(push(certificate("command")))], []);
  assert.not(existsSync(join(dir, KEYS_FILE)));
  const stranger = certificate("command", 2, { by: key() });
  assert.is(
    codeOf(() => ring.apply(push(stranger))),
    "unauthenticated",
  );
  assert.is(
    codeOf(() => ring.apply(randomBytes(40))),
    "malformed",
  );
  assert.equal(ring.versions(), { authority: 1, command: 1, ingest: 1 });
  assert.not(existsSync(join(dir, KEYS_FILE)));
});

test("no push may leave the car without a key to seal its logs to", ({ dir }) => {
  const ring = openKeyRing(dir, PINNED);
  const keys = { authorityKey: NEXT.publicKey, spareKey: NEXT_SPARE.publicKey };
  const succession = signSuccession(SPARE, { tenant, version: 2, ...keys });
  const certificates = [certificate("command", 2, { by: NEXT })];
  const bare = encodeKeyPush({ succession, certificates });
  assert.is(
    codeOf(() => ring.apply(bare)),
    "conflict",
  );
  assert.equal(ring.versions(), { authority: 1, command: 1, ingest: 1 });
  const without = { ...PINNED, certificates: [certificate("command")] };
  assert.is(
    codeOf(() => openKeyRing(dir, without).ingestKey()),
    "malformed",
  );
});

test("a succession outlives a start, with the next spare, and only until another enrolment", ({
  dir,
}) => {
  const ring = openKeyRing(dir, PINNED);
  const keys = { authorityKey: NEXT.publicKey, spareKey: NEXT_SPARE.publicKey };
  const certificates = [
    certificate("command", 2, { by: NEXT }),
    certificate("ingest", 2, { by: NEXT }),
  ];
  const succession = signSuccession(SPARE, { tenant, version: 2, ...keys });
  assert.equal(
    [...ring.apply(encodeKeyPush({ succession, certificates }))],
    ["authority", "command", "ingest"],
  );
  const again = openKeyRing(dir, PINNED);
  assert.equal(again.versions(), { authority: 2, command: 2, ingest: 2 });
  assert.is(
    codeOf(() => again.apply(push(certificate("grant", 9)))),
    "unauthenticated",
    "the old",
  );
  assert.equal([...again.apply(push(certificate("grant", 3, { by: NEXT })))], ["grant"]);
  const third = key();
  const last = signSuccession(NEXT_SPARE, {
    ...{ tenant, version: 3 },
    ...{ authorityKey: third.publicKey, spareKey: key().publicKey },
  });
  const renewed = encodeKeyPush({
    succession: last,
    certificates: [
      certificate("command", 3, { by: third }),
      certificate("ingest", 3, { by: third }),
    ],
  });
  assert.equal([...again.apply(renewed)].slice(0, 1), ["authority"], "by the spare that was kept");
  assert.equal(openKeyRing(dir, PINNED).versions().authority, 3);
  const other = key();
  const enrolled = [
    certificate("command", 1, { by: other }),
    certificate("ingest", 1, { by: other }),
  ];
  const anew = { ...PINNED, authorityKey: other.publicKey, certificates: enrolled };
  assert.equal(openKeyRing(dir, anew).versions(), { authority: 1, command: 1, ingest: 1 });
});

test("the file is as the next version of the agent expects it, and refused where it is none", ({
  dir,
}) => {
  openKeyRing(dir, PINNED).apply(push(certificate("command", 2)));
  const file = join(dir, KEYS_FILE);
  const kept = decodeCbor(Uint8Array.from(readFileSync(file)));
  assert.ok(kept instanceof Map);
  assert.equal([...kept.keys()], [0, 1, 2, 3, 4]);
  assert.equal(
    [kept.get(0), kept.get(1), kept.get(2), kept.get(3)],
    [AUTHORITY.publicKey, 1, AUTHORITY.publicKey, SPARE.publicKey],
  );
  writeFileSync(file, randomBytes(60));
  assert.is(
    codeOf(() => openKeyRing(dir, PINNED)),
    "malformed",
  );
});

test.run();
