/** A car's new certificate for its old one, over real TLS and with a real store. */
import { X509Certificate } from "node:crypto";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { registerRenewal } from "@kerbside/cloud";
import { carGate, certificateUsed } from "@kerbside/identity";
import { ProtocolError, type TenantId, vehicleId } from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import Fastify, { type FastifyInstance } from "fastify";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { manualClock } from "../../support/runtime.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";
import { makePki, newRequest, type Pki, recordOf, type TestCar } from "./pki.ts";

const YEAR_MS = 365 * 86_400_000;

type World = {
  readonly files: TestRegistry;
  readonly pki: Pki;
  readonly store: SqliteTenantStore;
  readonly app: FastifyInstance;
  readonly clock: ReturnType<typeof manualClock>;
};
const test = suite<World>("renewal");
test.before.each(async (world) => {
  const clock = manualClock(Date.now());
  const [files, pki] = [await testRegistry(), await makePki(() => clock.wallMs())];
  await files.create("demo");
  const store = (await files.registry.tenant("demo"))?.store;
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  const ca = pki.platform.rootCertificate;
  const https = { ...pki.server, ca, requestCert: true, rejectUnauthorized: false };
  const app: FastifyInstance = Fastify({ https });
  app.setErrorHandler((error, _request, reply) =>
    reply.code(error instanceof ProtocolError && error.code === "forbidden" ? 403 : 400).send({}),
  );
  const tenant = async (id: TenantId) =>
    id === "demo" ? { store, authority: await pki.tenant("demo") } : undefined;
  registerRenewal(app, { tenant, serverCa: ca, nowMs: () => clock.wallMs() }, clock);
  await app.listen({ port: 0, host: "127.0.0.1" });
  Object.assign(world, { files, pki, store, app, clock });
});
test.after.each(async ({ app, files }) => {
  await app.close();
  await files.close();
});

type Answer = { readonly status: number; readonly chain: string };

function ask({ app, pki }: World, car: Partial<TestCar>, csr: string): Promise<Answer> {
  const { port } = app.server.address() as AddressInfo;
  const client = car.cert === undefined ? {} : { cert: car.cert, key: car.key };
  return new Promise((resolve, reject) => {
    const asking = request(
      {
        ...client,
        ca: pki.platform.rootCertificate,
        ...{ host: "127.0.0.1", port, path: "/renew", method: "POST", agent: false },
        headers: { "content-type": "application/json" },
      },
      async (answer) => {
        const parts: Buffer[] = [];
        for await (const part of answer) parts.push(part);
        const body: unknown = JSON.parse(Buffer.concat(parts).toString());
        const found = typeof body === "object" && body !== null ? { ...body } : {};
        const chain = "certificateChain" in found ? String(found.certificateChain) : "";
        resolve({ status: answer.statusCode ?? 0, chain });
      },
    );
    asking.on("error", reject);
    asking.end(JSON.stringify({ csr }));
  });
}

async function enrolled(world: World, vehicle = "car-1"): Promise<TestCar> {
  const car = await world.pki.car("demo", vehicle);
  await world.store.putVehicle(recordOf(car), AUDIT);
  return car;
}

function gate({ pki, store, clock }: World): ReturnType<typeof carGate> {
  return carGate({
    authority: async (id) => (await pki.tenant(id)).certificate,
    vehicle: ({ vehicle }) => store.vehicle(vehicle),
    confirm: (car) => certificateUsed(store, car),
    nowMs: () => clock.wallMs(),
  });
}

const CAR = vehicleId("car-1");
const serialOf = (chain: string): string => new X509Certificate(chain).serialNumber;

test("P-01 the old certificate is good until the new one is used, and not after", async (world) => {
  const car = await enrolled(world);
  const { key, csr } = await newRequest();
  const { status, chain } = await ask(world, car, csr);
  assert.is(status, 200);
  const open = gate(world);
  await open(new X509Certificate(car.cert));
  assert.is((await open(new X509Certificate(chain))).serial, serialOf(chain));
  await refuses("unauthenticated", open(new X509Certificate(car.cert)));
  assert.is((await ask(world, car, csr)).status, 403, "the replaced one renews nothing");
  const next = { ...car, cert: chain, key };
  assert.is((await ask(world, next, (await newRequest()).csr)).status, 200);
  const actions = (await world.store.auditTrail(0, 10)).map(({ action }) => action);
  assert.ok(actions.includes("vehicle.renew") && actions.includes("vehicle.certificate"));
  assert.is(world.store.verifyAudit().problems.length, 0);
});

test("an answer that was lost is asked for again", async (world) => {
  const car = await enrolled(world);
  const first = await ask(world, car, (await newRequest()).csr);
  const second = await ask(world, car, (await newRequest()).csr);
  assert.equal([first.status, second.status], [200, 200]);
  const record = await world.store.vehicle(CAR);
  assert.is(record?.renewedSerial, serialOf(second.chain));
  await refuses("unauthenticated", gate(world)(new X509Certificate(first.chain)));
});

test("P-01 a certificate that ran out renews, and does nothing else", async (world) => {
  const car = await enrolled(world);
  world.clock.setWall(world.clock.wallMs() + YEAR_MS + 86_400_000);
  await refuses("unauthenticated", gate(world)(new X509Certificate(car.cert)));
  const { status, chain } = await ask(world, car, (await newRequest()).csr);
  assert.is(status, 200);
  await gate(world)(new X509Certificate(chain));
});

test("P-01 a revoked car renews nothing, even where it was revoked in between", async (world) => {
  const car = await enrolled(world);
  const record = recordOf(car);
  await world.store.putVehicle({ ...record, revokedAtMs: 1 }, AUDIT);
  assert.is((await ask(world, car, (await newRequest()).csr)).status, 403);
  assert.is(await world.store.putCertificate(CAR, car.serial, "AB", AUDIT), false);
  assert.is((await world.store.vehicle(CAR))?.renewedSerial, undefined);
});

test("P-01 nobody else renews it", async (world) => {
  const car = await enrolled(world);
  const { csr } = await newRequest();
  const rival = await world.pki.car("rival", "car-1");
  const forged = await world.pki.car("demo", "car-1", await world.pki.impostor("rival", "demo"));
  const stranger = await world.pki.car("demo", "car-9");
  const again = await world.pki.car("demo", "car-1");
  const rows: readonly { why: string; who: Partial<TestCar> }[] = [
    { why: "no certificate", who: {} },
    { why: "another tenant's", who: rival },
    { why: "another tenant's authority in this one's name", who: forged },
    { why: "a car that is not enrolled", who: stranger },
    { why: "a certificate of this car that no record knows", who: again },
  ];
  for (const { why, who } of rows) assert.is((await ask(world, who, csr)).status, 403, why);
  assert.is((await ask(world, car, "no request")).status >= 400, true);
  assert.is((await ask(world, car, csr)).status, 200, "and the car itself still can");
});

test("P-63 one car renews ten times an hour at most", async (world) => {
  const car = await enrolled(world);
  const { csr } = await newRequest();
  for (let i = 0; i < 10; i += 1) assert.is((await ask(world, car, csr)).status, 200);
  assert.ok((await ask(world, car, csr)).status >= 400);
});

test.run();
