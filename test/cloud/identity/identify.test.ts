/** What a certificate must be to prove a car, each requirement left out alone. */
import "reflect-metadata";
import { webcrypto, X509Certificate } from "node:crypto";
import { identifyCertificate } from "@kerbside/identity";
import { ProtocolError } from "@kerbside/protocol";
import * as x509 from "@peculiar/x509";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;
const NOW = Date.now();
const ISSUER = "O=demo, CN=demo authority";

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
const keys = await newKeys();
const authority = await x509.X509CertificateGenerator.createSelfSigned({
  name: ISSUER,
  keys,
  signingAlgorithm: ECDSA,
  extensions: [
    new x509.BasicConstraintsExtension(true, 0, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
  ],
});

type Change = {
  readonly subject?: string;
  readonly usages?: readonly x509.ExtendedKeyUsage[];
  readonly ca?: boolean;
  readonly signer?: webcrypto.CryptoKey;
  readonly fromMs?: number;
  readonly toMs?: number;
};

async function certificate(change: Change): Promise<X509Certificate> {
  const made = await x509.X509CertificateGenerator.create({
    subject: change.subject ?? "O=demo, CN=demo.car-1",
    issuer: ISSUER,
    notBefore: new Date(change.fromMs ?? NOW - HOUR_MS),
    notAfter: new Date(change.toMs ?? NOW + HOUR_MS),
    publicKey: (await newKeys()).publicKey,
    signingKey: change.signer ?? keys.privateKey,
    signingAlgorithm: ECDSA,
    extensions: [
      new x509.BasicConstraintsExtension(change.ca ?? false, undefined, true),
      new x509.ExtendedKeyUsageExtension([
        ...(change.usages ?? [x509.ExtendedKeyUsage.clientAuth]),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return new X509Certificate(made.toString("pem"));
}

async function identify(change: Change): ReturnType<typeof identifyCertificate> {
  const pem = authority.toString("pem");
  const of = async (tenant: string): Promise<string | undefined> =>
    tenant === "demo" ? pem : undefined;
  return identifyCertificate(await certificate(change), of, NOW);
}

test("P-01 a certificate as it should be proves the car", async () => {
  const car = await identify({});
  assert.equal([car.tenant, car.vehicle], ["demo", "car-1"]);
  assert.is(car.notAfterMs, Math.floor((NOW + HOUR_MS) / 1000) * 1000);
});

const REFUSED: readonly (Change & { readonly why: string })[] = [
  { why: "signed by a key that is not the authority's", signer: (await newKeys()).privateKey },
  { why: "made for servers", usages: [x509.ExtendedKeyUsage.serverAuth] },
  { why: "made for no use at all", usages: [x509.ExtendedKeyUsage.codeSigning] },
  { why: "an authority itself", ca: true },
  { why: "run out", fromMs: NOW - 2 * HOUR_MS, toMs: NOW - 1000 },
  { why: "not valid yet", fromMs: NOW + 60_000 },
  { why: "another tenant in its organization", subject: "O=other, CN=demo.car-1" },
  { why: "another tenant in its common name", subject: "O=demo, CN=other.car-1" },
  { why: "a tenant that there is not", subject: "O=nobody, CN=nobody.car-1" },
  { why: "no organization", subject: "CN=demo.car-1" },
  { why: "two common names", subject: "O=demo, CN=demo.car-1, CN=demo.car-2" },
  { why: "a part more", subject: "O=demo, CN=demo.car-1, OU=x" },
  { why: "a line break in its name", subject: "O=demo, CN=demo.car-1\\0ACN\\=x" },
  { why: "an id that is none", subject: "O=demo, CN=demo.__proto__" },
  { why: "an id in capitals", subject: "O=demo, CN=demo.CAR-1" },
];
for (const { why, ...change } of REFUSED) {
  test(`P-01 proves nothing: ${why}`, async () => {
    const error = await identify(change).catch((e: unknown) => e);
    assert.ok(error instanceof ProtocolError && error.code === "unauthenticated", String(error));
  });
}

test.run();
