/** Who was let in is let in no longer: at a reload, on resuming, and when the certificate runs out. */
import { once } from "node:events";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { clientIdOf } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { recordOf, type TestCar, vehicleKey } from "../identity/pki.ts";
import { connectPacket, ended, makeWorld, type World } from "./harness.ts";

let world: World;
let car: TestCar;
test.before.each(async () => {
  world = await makeWorld();
  car = await world.enrolled("demo", "car-1");
});
test.after.each(() => world.close());

const tlsOf = (w: World): Parameters<World["broker"]["reload"]>[0] => ({
  ...w.pki.server,
  ca: [w.pki.platform.rootCertificate],
});

function revoke(): void {
  world.records.set(vehicleKey(car), { ...recordOf(car), revokedAtMs: Date.now() });
}

/** Sends CONNECT over a TLS session, and gives back what came of it and the ticket for the next one. */
async function visit(
  options: ConnectionOptions,
): Promise<{ readonly resumed: boolean; readonly answer: string; readonly ticket?: Buffer }> {
  const ca = world.pki.platform.rootCertificate;
  const own = { host: "localhost", port: world.broker.port, key: car.key, cert: car.cert, ca };
  const socket: TLSSocket = connectTls({ ...own, ...options });
  socket.on("error", () => undefined);
  let ticket: Buffer | undefined;
  socket.on("session", (session) => {
    ticket = session;
  });
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  socket.once("secureConnect", () => socket.write(connectPacket(clientIdOf(car))));
  await Promise.race([once(socket, "data"), once(socket, "close")]).catch(() => undefined);
  const resumed = socket.isSessionReused();
  socket.destroy();
  const answer = Buffer.concat(parts).toString("hex");
  return { resumed, answer, ...(ticket === undefined ? {} : { ticket }) };
}

const ACCEPTED = "20020000";
const NOT_AUTHORIZED = "20020005";

test("P-01 a revoked car cannot resume a TLS session of before, even where no ticket key changed", async () => {
  const first = await visit({});
  assert.is(first.answer, ACCEPTED);
  assert.ok(first.ticket);
  const again = await visit({ session: first.ticket });
  assert.ok(again.resumed, "resuming works as such, or this test shows nothing");
  assert.is(again.answer, ACCEPTED);
  revoke();
  const refused = await visit({ session: again.ticket ?? first.ticket });
  assert.ok(refused.resumed);
  assert.is(refused.answer, NOT_AUTHORIZED);
});

test("P-01 after a reload no TLS session of before is resumed", async () => {
  const first = await visit({});
  await world.broker.reload(tlsOf(world));
  const again = await visit({ session: first.ticket ?? Buffer.of() });
  assert.not(again.resumed);
  assert.is(again.answer, ACCEPTED);
});

test("P-01 a reload ends live connections of revoked cars, and no others", async () => {
  const client = await world.connect(car);
  const other = await world.connect(await world.enrolled("demo", "car-2"));
  revoke();
  const over = ended(client);
  await world.broker.reload(tlsOf(world));
  await over;
  assert.not(world.broker.connected(car));
  await other.publishAsync("kb/v1/demo/car-2/up/state", Buffer.of(1), { qos: 1 });
});

test("P-01 revocation lists are enforced in the handshake, for each authority of the chain", async () => {
  const crl = async (serials: readonly string[]): Promise<string[]> => [
    await world.pki.platform.crl([]),
    await (await world.pki.tenant("demo")).crl(
      serials.map((serial) => ({ serial, atMs: Date.now() })),
    ),
  ];
  await world.broker.reload({ ...tlsOf(world), crl: await crl([]) });
  assert.is((await visit({})).answer, ACCEPTED);
  await world.broker.reload({ ...tlsOf(world), crl: await crl([car.serial]) });
  assert.is((await visit({})).answer, "");
});

test("P-01 a connection ends with the certificate it stands on", async () => {
  await world.close();
  let ahead = 0;
  world = await makeWorld({ nowMs: () => Date.now() + ahead });
  car = await world.enrolled("demo", "car-1");
  ahead = car.notAfterMs - Date.now() - 2_000;
  const client = await world.connect(car);
  await ended(client);
  assert.is(world.broker.refusals().certificate_expired, 1);
  assert.is(await world.connect(car).catch(() => "refused"), "refused");
});

test.run();
