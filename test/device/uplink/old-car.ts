/**
 * A cloud with real authorities, store, ingest and broker, and a car that joined it as long ago as one likes: what was
 * issued then was issued by a clock of then, while both ends of TLS live now.
 */
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, startBroker } from "@kerbside/broker";
import { type Buffer as CarBuffer, openBuffer } from "@kerbside/buffer";
import { registerRenewal } from "@kerbside/cloud";
import { enrol as admit, carGate, certificateUsed } from "@kerbside/identity";
import { createIngest } from "@kerbside/ingest";
import {
  certifyKey,
  cryptoReady,
  type EnrolmentRequest,
  encodeKeyPush,
  ProtocolError,
  randomBytes,
  sealKeyPair,
  signingKey,
  type TenantId,
} from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import {
  type Certificate,
  createSession,
  enrol,
  type Identity,
  keepCertificate,
  loadIdentity,
  mqttTransport,
  startUplink,
  type Uplink,
} from "@kerbside/uplink";
import Fastify, { type FastifyInstance } from "fastify";
import { makePki, type Pki } from "../../cloud/identity/pki.ts";
import { AUDIT } from "../../conformance/car-log.ts";
import { ADDRESS } from "../../support/car-cloud.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { testRegistry } from "../../support/tenant-engine.ts";
import { QUICK, TOKEN } from "./harness.ts";

export const DAY_MS = 86_400_000;
const AUTHORITY = signingKey(randomBytes(32));
type KeyPair = ReturnType<typeof sealKeyPair>;

export type OldCar = {
  readonly dir: string;
  readonly store: SqliteTenantStore;
  readonly broker: Broker;
  readonly identity: Identity;
  readonly url: string;
  readonly revoke: () => Promise<void>;
  /** Why the certificate was not renewed, each time. */
  readonly notRenewed: () => readonly string[];
  /** What the cloud pushes to the car that is to seal with the newest ingest key. */
  readonly keyPush: Uint8Array;
  readonly openBuffer: () => Promise<CarBuffer>;
  readonly keep: (latestMs?: () => number) => Certificate;
  readonly start: (buffer: CarBuffer, certificate: Certificate) => Uplink;
  readonly close: () => Promise<void>;
};

type Cloud = {
  readonly pki: Pki;
  readonly store: SqliteTenantStore;
  readonly ingestKeys: readonly KeyPair[];
};

function certify(
  purpose: "command" | "ingest",
  version: number,
  publicKey: Uint8Array,
): Uint8Array {
  const life = { notBeforeMs: 0, notAfterMs: Date.now() + 3650 * DAY_MS };
  return certifyKey(AUTHORITY, { tenant: ADDRESS.tenant, purpose, version, publicKey, ...life });
}

async function admitCar({ pki, store, ingestKeys }: Cloud, request: EnrolmentRequest) {
  const [first = sealKeyPair()] = ingestKeys;
  const command = certify("command", 1, signingKey(randomBytes(32)).publicKey);
  const ingest = certify("ingest", 1, first.publicKey);
  const home = {
    store,
    authority: await pki.tenant(ADDRESS.tenant),
    keyAuthority: () => Promise.resolve({ version: 1, key: AUTHORITY.publicKey }),
    keyCertificates: async () =>
      new Map([
        ["command", command],
        ["ingest", ingest],
      ] as const),
  };
  return admit(request, {
    tokens: {
      checkEnrolmentToken: async () => "kerbside-sim/1",
      consumeEnrolmentToken: async () => true,
    },
    tenant: async () => home,
    serverCa: pki.platform.rootCertificate,
    broker: { host: "127.0.0.1", port: 1 },
    nowMs: Date.now,
  });
}

async function frontDoor(cloud: Cloud): Promise<{ app: FastifyInstance; url: string }> {
  const { pki, store } = cloud;
  const ca = pki.platform.rootCertificate;
  const https = { ...pki.server, ca, requestCert: true, rejectUnauthorized: false };
  const app: FastifyInstance = Fastify({ https });
  app.setErrorHandler((error, _request, reply) =>
    reply.code(error instanceof ProtocolError ? 403 : 500).send({}),
  );
  app.post<{ Body: EnrolmentRequest }>("/enrol", (request) => admitCar(cloud, request.body));
  const tenant = async () => ({ store, authority: await pki.tenant(ADDRESS.tenant) });
  registerRenewal(app, { tenant, serverCa: ca, nowMs: Date.now }, realClock);
  await app.listen({ port: 0, host: "127.0.0.1" });
  return { app, url: `https://localhost:${(app.server.address() as AddressInfo).port}` };
}

async function brokerOf({ pki, store, ingestKeys }: Cloud) {
  const { pem, ...tls } = { ...pki.server, pem: pki.platform.rootCertificate };
  const broker = await startBroker({
    port: 0,
    host: "127.0.0.1",
    tls: { ...tls, ca: [pem] },
    identify: carGate({
      authority: async (id: TenantId) => (await pki.tenant(id)).certificate,
      vehicle: ({ vehicle }) => store.vehicle(vehicle),
      confirm: (car) => certificateUsed(store, car),
      nowMs: Date.now,
    }),
    log: silentLog,
    clock: realClock,
  });
  const home = { store, ingestKey: async (version: number) => ingestKeys[version - 1] };
  const ingest = await createIngest({
    tenant: async (id) => (id === ADDRESS.tenant ? home : undefined),
    downlink: broker.downlink,
    clock: realClock,
    log: silentLog,
  });
  await broker.source.start(async (message) => {
    if (message.topic.channel === "up") await ingest.handle(message);
  });
  return { broker, ingest };
}

/** A car that was enrolled `ageDays` ago, and a cloud whose ingest key has been renewed since. */
export async function oldCar(ageDays: number): Promise<OldCar> {
  await cryptoReady();
  const dir = mkdtempSync(join(tmpdir(), "kerbside-old-car-"));
  let ageMs = 0;
  const pki = await makePki(() => Date.now() - ageMs);
  const files = await testRegistry();
  await files.create(ADDRESS.tenant);
  const store = (await files.registry.tenant(ADDRESS.tenant))?.store;
  if (store === undefined) throw new Error("the tenant was not made");
  await pki.tenant(ADDRESS.tenant);
  const newest = sealKeyPair();
  const cloud = { pki, store, ingestKeys: [sealKeyPair(), newest] };
  const { app, url } = await frontDoor(cloud);
  ageMs = ageDays * DAY_MS;
  const ca = pki.platform.rootCertificate;
  const identity = await enrol({ dir, address: ADDRESS, url, ca, token: TOKEN });
  ageMs = 0;
  const { broker, ingest } = await brokerOf(cloud);
  const opened: { close: () => unknown }[] = [];
  const notRenewed: string[] = [];
  const log = {
    ...silentLog,
    warn: (event: string, fields: object = {}) => {
      if (event === "certificate.not_renewed") notRenewed.push(JSON.stringify(fields));
    },
  };
  const common = { clock: realClock, random: realRandom, log: silentLog };
  return {
    ...{ dir, store, broker, identity, url },
    notRenewed: () => notRenewed,
    keyPush: encodeKeyPush({ certificates: [certify("ingest", 2, newest.publicKey)] }),
    revoke: async () => {
      const record = await store.vehicle(ADDRESS.vehicle);
      if (record !== undefined) await store.putVehicle({ ...record, revokedAtMs: 1 }, AUDIT);
    },
    openBuffer: async () => {
      const { signingKey: key, keys } = identity;
      const buffer = await openBuffer({
        ...{ dir: join(dir, "buffer"), address: ADDRESS, agentVersion: "test", ...common },
        ...{ signingKey: key, ingestKey: keys.ingestKey(), trackWindowMs: 250 },
        limits: { closeAfterMs: { critical: 0, state: 20, track: 50 } },
      });
      opened.push(buffer);
      return buffer;
    },
    keep: (latestMs = Date.now) => {
      const known = loadIdentity(dir) ?? identity;
      const certificate = keepCertificate({ dir, identity: known, url, latestMs, ...common, log });
      opened.unshift(certificate);
      return certificate;
    },
    start: (buffer, { tls, doubted }) => {
      const at = { host: "127.0.0.1", port: broker.port, address: ADDRESS, clock: realClock };
      const uplink = startUplink({
        ...{ address: ADDRESS, buffer, session: createSession(realClock, realRandom), ...common },
        transport: mqttTransport({ ...at, tls, onFailed: doubted }),
        signingKey: identity.signingKey,
        commandKey: () => identity.commandKey,
        commands: { execute: () => Promise.reject(new Error("no command was expected")) },
        ...{ agentVersion: "test", profile: "test/1", limits: QUICK },
      });
      opened.unshift(uplink);
      return uplink;
    },
    close: async () => {
      for (const part of opened) await part.close();
      await broker.close();
      await ingest.close();
      await app.close();
      await files.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
