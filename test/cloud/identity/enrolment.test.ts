/** A car joins with one token, once, and with keys that it holds. The store and the tokens are the real ones. */
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EnrolmentPorts, enrol, identifyCertificate } from "@kerbside/identity";
import {
  type AuditEntry,
  type EnrolmentRequest,
  ProtocolError,
  provePossession,
  randomBytes,
  type SigningKey,
  signingKey,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { openRegistry, type Registry } from "@kerbside/tenants";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makePki, newRequest, type Pki } from "./pki.ts";

const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const OTHER = { tenant: tenantId("demo"), vehicle: vehicleId("car-2") };
const AUDIT: AuditEntry = { actor: "test", action: "test", subject: "test", outcome: "done" };
const LIFE_MS = 60_000;
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

let dir: string;
let registry: Registry;
let pki: Pki;
let ports: EnrolmentPorts;
let nowMs: number;
let key: SigningKey;
let token: string;

test.before.each(async () => {
  dir = mkdtempSync(join(tmpdir(), "kerbside-enrolment-"));
  nowMs = Date.now();
  registry = await openRegistry({
    dir,
    masterKey: randomBytes(32),
    create: true,
    nowMs: () => nowMs,
  });
  await registry.create(ADDRESS.tenant, randomBytes(32), AUDIT, async () => undefined);
  pki = await makePki(() => nowMs);
  const authority = await pki.tenant("demo");
  ports = {
    tokens: registry.platform,
    tenant: async (id) => {
      const tenant = await registry.tenant(id);
      const keyAuthority = async () => ({ version: 1, key: new Uint8Array(32).fill(7) });
      const certificates = new Map([
        ["command", Uint8Array.of(1)],
        ["ingest", Uint8Array.of(2)],
      ] as const);
      const keyCertificates = async () => certificates;
      return tenant && { store: tenant.store, authority, keyAuthority, keyCertificates };
    },
    serverCa: pki.platform.rootCertificate,
    broker: { host: "localhost", port: 8883 },
    nowMs: () => nowMs,
  };
  key = signingKey(randomBytes(32));
  token = await issue(ADDRESS);
});
test.after.each(async () => {
  await registry.close();
  rmSync(dir, { recursive: true });
});

function issue(address: typeof ADDRESS): Promise<string> {
  const grant = { ...address, profile: "model-a", lifeMs: LIFE_MS };
  return registry.platform.issueEnrolmentToken(grant, AUDIT);
}

async function request(change: Partial<EnrolmentRequest> = {}): Promise<EnrolmentRequest> {
  const { csr } = await newRequest("O=other, CN=other.car-9");
  const proof = provePossession(key, ADDRESS, csr);
  return {
    ...ADDRESS,
    token,
    csr,
    signingKey: base64url(key.publicKey),
    signingKeyProof: base64url(proof),
    ...change,
  };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  return error instanceof ProtocolError ? error.code : `no error (${error})`;
}

const stored = async () => (await registry.tenant("demo"))?.store.vehicle(ADDRESS.vehicle);

test("P-51 a car is certified under its own name, whatever its request says, recorded and audited", async () => {
  const answer = await enrol(await request(), ports);
  const [leaf, ca] = answer.certificateChain.split(/(?<=-----END CERTIFICATE-----)\n/);
  const certificate = new X509Certificate(leaf ?? "");
  assert.is(certificate.subject, "O=demo\nCN=demo.car-1");
  assert.ok(certificate.checkIssued(new X509Certificate(ca ?? "")));
  const record = await stored();
  assert.is(record?.certificateSerial, certificate.serialNumber);
  assert.is(record?.profile, "model-a");
  assert.equal(record?.signingKey, key.publicKey);
  assert.is(answer.authorityKey, base64url(new Uint8Array(32).fill(7)));
  assert.equal(answer.keyCertificates, { command: "AQ", ingest: "Ag" });
  const trail = await (await registry.tenant("demo"))?.store.auditTrail(0, 10);
  assert.is(trail?.at(-1)?.action, "vehicle.enrol");
  const identified = await identifyCertificate(
    certificate,
    async () => (await pki.tenant("demo")).certificate,
    nowMs,
  );
  assert.is(identified.serial, record?.certificateSerial);
});

test("a token serves once, however many ask at the same time", async () => {
  const requests = await Promise.all(Array.from({ length: 8 }, () => request()));
  const codes = await Promise.all(requests.map((r) => codeOf(enrol(r, ports))));
  assert.is(codes.filter((code) => code === "forbidden").length, 7);
  assert.is(await codeOf(enrol(await request(), ports)), "forbidden");
});

type Bad = {
  readonly why: string;
  readonly code: string;
  readonly make: () => Promise<EnrolmentRequest>;
};
const BAD: readonly Bad[] = [
  { why: "no such token", code: "forbidden", make: () => request({ token: "A".repeat(43) }) },
  { why: "an empty token", code: "forbidden", make: () => request({ token: "" }) },
  {
    why: "a token of a megabyte",
    code: "forbidden",
    make: () => request({ token: "A".repeat(1e6) }),
  },
  {
    why: "the token of another car",
    code: "forbidden",
    make: async () => request({ token: await issue(OTHER) }),
  },
  {
    why: "a token that has run out",
    code: "forbidden",
    make: async () => {
      nowMs += LIFE_MS + 1;
      return request();
    },
  },
  { why: "no such tenant", code: "forbidden", make: () => request({ tenant: "nobody" }) },
  {
    why: "a tenant id that is none",
    code: "malformed",
    make: () => request({ tenant: "__proto__" }),
  },
  { why: "a vehicle id that is none", code: "malformed", make: () => request({ vehicle: "../x" }) },
  { why: "no certificate request", code: "malformed", make: () => request({ csr: "hello" }) },
  {
    why: "a certificate request of a megabyte",
    code: "malformed",
    make: () => request({ csr: "A".repeat(1e6) }),
  },
  {
    why: "a certificate request whose signature was changed: nobody shows to hold that key",
    code: "unauthenticated",
    make: async () => {
      const { csr } = await newRequest();
      const der = Buffer.from(csr.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
      der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
      const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
      return request({
        csr: changed,
        signingKeyProof: base64url(provePossession(key, ADDRESS, changed)),
      });
    },
  },
  {
    why: "a signing key that the asker does not hold",
    code: "unauthenticated",
    make: () => request({ signingKey: base64url(signingKey(randomBytes(32)).publicKey) }),
  },
  {
    why: "a proof made for another car",
    code: "unauthenticated",
    make: async () => {
      const { csr } = await newRequest();
      return request({ csr, signingKeyProof: base64url(provePossession(key, OTHER, csr)) });
    },
  },
  {
    why: "a proof made for another certificate request",
    code: "unauthenticated",
    make: async () => {
      const { csr } = await newRequest();
      return request({ signingKeyProof: base64url(provePossession(key, ADDRESS, csr)) });
    },
  },
  { why: "a short signing key", code: "malformed", make: () => request({ signingKey: "AQ" }) },
  {
    why: "a signing key in another alphabet",
    code: "malformed",
    make: () => request({ signingKey: Buffer.alloc(32, 255).toString("base64") }),
  },
];
for (const { why, code, make } of BAD) {
  test(`refused, with nothing recorded and the token unused: ${why}`, async () => {
    const error = await enrol(await make(), ports).catch((e: unknown) => e);
    assert.instance(error, ProtocolError);
    assert.is(error instanceof ProtocolError && error.code, code);
    // P-03: what was given does not come back in the error.
    assert.not.match(String(error), token);
    assert.is(await stored(), undefined);
    if (why.includes("run out")) return;
    await enrol(await request(), ports);
  });
}

test.run();
