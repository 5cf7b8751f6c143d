/** New keys for a car: who may put which in the place of which, row by row; after a refusal nothing has changed. */
import {
  applyKeyPush,
  CERTIFIED_PURPOSES,
  type CertifiedPurpose,
  certifiedVerifyKey,
  certifyKey,
  encodeKeyPush,
  KEY_CERTIFICATES_MAX,
  KEY_PURPOSES,
  type KeyPushOutcome,
  keyVersionsOf,
  openKeyCertificate,
  openSuccession,
  randomBytes,
  type SigningKey,
  type Succession,
  signingKey,
  signSuccession,
  type TrustedKeys,
  tenantId,
  toHex,
  VEHICLE_DOMAINS,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const TENANT = tenantId("demo");
const key = (): SigningKey => signingKey(randomBytes(32));
const [AUTHORITY, SPARE, NEXT, NEXT_SPARE, COMMAND] = [key(), key(), key(), key(), key()];

function certificate(
  purpose: CertifiedPurpose,
  version: number,
  change: { readonly by?: SigningKey; readonly of?: Uint8Array; readonly tenant?: string } = {},
): Uint8Array {
  const { by = AUTHORITY, of = COMMAND.publicKey, tenant = "demo" } = change;
  const life = { notBeforeMs: 0, notAfterMs: 1000 };
  return certifyKey(by, { tenant: tenantId(tenant), purpose, version, publicKey: of, ...life });
}

function succession(change: Partial<Succession> = {}, by = SPARE): Uint8Array {
  const keys = { authorityKey: NEXT.publicKey, spareKey: NEXT_SPARE.publicKey };
  return signSuccession(by, { tenant: TENANT, version: 2, ...keys, ...change });
}

const PINNED: TrustedKeys = {
  tenant: TENANT,
  authorityVersion: 1,
  authorityKey: AUTHORITY.publicKey,
  spareKey: SPARE.publicKey,
  keys: {},
};
const push = (trusted: TrustedKeys, ...certificates: readonly Uint8Array[]): KeyPushOutcome =>
  applyKeyPush(trusted, encodeKeyPush({ certificates }));
const succeed = (trusted: TrustedKeys, by: Uint8Array, ...certificates: readonly Uint8Array[]) =>
  applyKeyPush(trusted, encodeKeyPush({ succession: by, certificates }));
/** With a command key of version 5 and a grant key of version 2. */
const BEFORE = push(PINNED, certificate("command", 5), certificate("grant", 2)).trusted;
const { spareKey: _spare, ...SPARELESS } = BEFORE;

test("certificates of the authority put keys in force, and say which have changed", () => {
  const envelope = certificate("command", 6, { of: NEXT.publicKey });
  const { trusted, changed } = push(BEFORE, envelope, certificate("time", 1));
  assert.equal(changed, ["command", "time"]);
  assert.equal(trusted.keys.command, { version: 6, publicKey: NEXT.publicKey, envelope });
  assert.equal(trusted.keys.grant, BEFORE.keys.grant, "what is not spoken of stays");
  assert.is(trusted.authorityVersion, 1);
  assert.equal(BEFORE.keys.command?.version, 5, "nothing of before is changed in place");
  assert.equal(keyVersionsOf(trusted), { authority: 1, command: 6, grant: 2, time: 1 });
});

test("the same key again changes nothing", () => {
  const { trusted, changed } = push(BEFORE, certificate("command", 5));
  assert.equal(changed, []);
  assert.equal(trusted, BEFORE);
});

test("a succession by the spare puts the next authority in force, and ends all certificates of before", () => {
  const own = certificate("command", 1, { by: NEXT });
  const { trusted, changed } = succeed(BEFORE, succession(), own);
  assert.equal(changed, ["authority", "command"]);
  assert.equal(trusted, {
    tenant: TENANT,
    authorityVersion: 2,
    authorityKey: NEXT.publicKey,
    spareKey: NEXT_SPARE.publicKey,
    keys: { command: { version: 1, publicKey: COMMAND.publicKey, envelope: own } },
  });
  assert.equal(succeed(trusted, succession(), own).changed, [], "the same again");
  const more = succeed(trusted, succession(), certificate("grant", 1, { by: NEXT }));
  assert.equal(more.changed, ["grant"]);
});

type Row = { readonly why: string; readonly run: () => unknown; readonly code: string };
const AFTER = succeed(BEFORE, succession(), certificate("command", 1, { by: NEXT })).trusted;
const ROWS: readonly Row[] = [
  { why: "a lower version", run: () => push(BEFORE, certificate("command", 4)), code: "conflict" },
  {
    why: "another key of the same version",
    run: () => push(BEFORE, certificate("command", 5, { of: NEXT.publicKey })),
    code: "conflict",
  },
  {
    why: "a command key certifies another",
    run: () => push(BEFORE, certificate("command", 6, { by: COMMAND })),
    code: "unauthenticated",
  },
  {
    why: "the spare certifies, which it may not",
    run: () => push(BEFORE, certificate("command", 6, { by: SPARE })),
    code: "unauthenticated",
  },
  {
    why: "another tenant's",
    run: () => push(BEFORE, certificate("command", 6, { tenant: "other" })),
    code: "forbidden",
  },
  {
    why: "two for one purpose",
    run: () => push(BEFORE, certificate("time", 1), certificate("time", 2)),
    code: "malformed",
  },
  {
    why: "no command key is left",
    run: () => push(PINNED, certificate("grant", 1)),
    code: "conflict",
  },
  {
    why: "the second is not good, so neither is the first",
    run: () => push(BEFORE, certificate("command", 6), certificate("grant", 1)),
    code: "conflict",
  },
  {
    why: "a succession where no spare is pinned",
    run: () => succeed(SPARELESS, succession(), certificate("command", 1, { by: NEXT })),
    code: "unauthenticated",
  },
  {
    why: "a succession by the authority itself",
    run: () => succeed(BEFORE, succession({}, AUTHORITY), certificate("command", 1, { by: NEXT })),
    code: "unauthenticated",
  },
  {
    why: "a succession of another tenant",
    run: () => succeed(BEFORE, succession({ tenant: tenantId("other") })),
    code: "forbidden",
  },
  {
    why: "a succession of the same version",
    run: () => succeed(BEFORE, succession({ version: 1 }), certificate("command", 1, { by: NEXT })),
    code: "conflict",
  },
  {
    why: "after a succession, a certificate of the authority before",
    run: () => succeed(BEFORE, succession(), certificate("command", 6)),
    code: "unauthenticated",
  },
  {
    why: "a succession that leaves no command key",
    run: () => succeed(BEFORE, succession()),
    code: "conflict",
  },
  {
    why: "applied already, but for the version",
    run: () => succeed(AFTER, succession({ version: 3 })),
    code: "unauthenticated",
  },
  {
    why: "applied already, but for the authority",
    run: () => succeed(AFTER, succession({ authorityKey: COMMAND.publicKey })),
    code: "unauthenticated",
  },
  {
    why: "applied already, but for the spare",
    run: () => succeed(AFTER, succession({ spareKey: COMMAND.publicKey })),
    code: "unauthenticated",
  },
  { why: "noise", run: () => applyKeyPush(BEFORE, randomBytes(60)), code: "malformed" },
];
for (const { why, run, code } of ROWS)
  test(`new keys are refused: ${why}`, () => {
    const before = JSON.stringify(BEFORE);
    assert.throws(run, (error: { code?: string }) => error.code === code);
    assert.is(JSON.stringify(BEFORE), before);
  });

test("what an authority without a spare says it is, is not taken for one that has it", () => {
  const same = { version: 1, authorityKey: AUTHORITY.publicKey };
  assert.throws(
    () => succeed(SPARELESS, succession(same), certificate("command", 6)),
    (error: { code?: string }) => error.code === "unauthenticated",
  );
});

test("one message holds a certificate for each purpose, and some to spare", () => {
  assert.is(KEY_CERTIFICATES_MAX, 16);
  const all = CERTIFIED_PURPOSES.map((purpose) => certificate(purpose, 9));
  assert.equal(push(BEFORE, ...all).changed, [...CERTIFIED_PURPOSES]);
  assert.throws(() => encodeKeyPush({ certificates: Array(17).fill(Uint8Array.of(1)) }));
  assert.throws(() => encodeKeyPush({ certificates: [new Uint8Array(513)] }));
  assert.throws(() => encodeKeyPush({ certificates: [new Uint8Array()] }));
  encodeKeyPush({ certificates: [new Uint8Array(512), ...Array(15).fill(Uint8Array.of(1))] });
  assert.throws(() => encodeKeyPush({ succession: new Uint8Array(513), certificates: [] }));
  assert.throws(() => encodeKeyPush({ succession: new Uint8Array(), certificates: [] }));
  encodeKeyPush({ succession: new Uint8Array(512), certificates: [] });
});

test("a succession is opened by the spare that signed it, and by no other key", () => {
  const opened = openSuccession(verifyKey(SPARE.publicKey), succession());
  assert.is(toHex(opened.authorityKey), toHex(NEXT.publicKey));
  assert.throws(() => openSuccession(verifyKey(AUTHORITY.publicKey), succession()));
});

test("a certificate serves its tenant and its purpose, and gives the key it is for", () => {
  const authority = verifyKey(AUTHORITY.publicKey);
  const envelope = certificate("grant", 3);
  const opened = openKeyCertificate(authority, { tenant: TENANT, purpose: "grant" }, envelope);
  assert.is(toHex(certifiedVerifyKey(opened).publicKey), toHex(COMMAND.publicKey));
  for (const expected of [
    { tenant: TENANT, purpose: "command" },
    { tenant: tenantId("other"), purpose: "grant" },
  ] as const)
    assert.throws(
      () => openKeyCertificate(authority, expected, envelope),
      (error: { code?: string }) => error.code === "forbidden",
    );
});

test("every purpose has a domain of its own, and a life", () => {
  assert.equal(
    Object.entries(KEY_PURPOSES).map(([name, { domain, lifeDaysMax }]) => [
      name,
      domain,
      lifeDaysMax,
    ]),
    [
      ["authority", "kerbside/v1/authority", 7300],
      ["command", "kerbside/v1/command", 365],
      ["grant", "kerbside/v1/grant", 365],
      ["ingest", "kerbside/v1/ingest", 730],
      ["time", "kerbside/v1/time", 365],
      ["artefact", "kerbside/v1/artefact", 365],
      ["vehicle", "kerbside/v1/vehicle", 5475],
    ],
  );
  assert.equal([...CERTIFIED_PURPOSES], ["command", "grant", "ingest", "time", "artefact"]);
  const domains = [
    ...Object.values(KEY_PURPOSES).map(({ domain }) => domain),
    ...Object.values(VEHICLE_DOMAINS),
  ];
  assert.is(new Set(domains).size, domains.length);
  assert.equal(VEHICLE_DOMAINS, {
    segment: "kerbside/v1/vehicle/segment",
    opening: "kerbside/v1/vehicle/opening",
    session: "kerbside/v1/vehicle/session",
    result: "kerbside/v1/vehicle/result",
    possession: "kerbside/v1/vehicle/possession",
  });
});

test.run();
