/** Certificates that run out, over real TLS: a car renews its own ahead of that, and after it can do nothing else. */
import { X509Certificate } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex, vehicleId } from "@kerbside/protocol";
import { keepCertificate, loadIdentity } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS } from "../../support/car-cloud.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";
import { DAY_MS, type OldCar, oldCar } from "./old-car.ts";

let car: OldCar | undefined;
test.after.each(async () => {
  await car?.close();
  car = undefined;
});

const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber;
const leftDays = (pem: string): number =>
  (new X509Certificate(pem).validToDate.getTime() - Date.now()) / DAY_MS;

test("with two thirds of its life to go, a certificate is left alone", async () => {
  car = await oldCar(100);
  const before = car.identity.tls.cert;
  const certificate = car.keep();
  certificate.doubted();
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(certificate.tls().cert, before);
  assert.is(car.broker.refusals().certificate_expired, 0);
});

test("with a third of its life left it is renewed, kept, and the old one ends once the new one was used", async () => {
  const c = await oldCar(300);
  car = c;
  const old = c.identity.tls;
  const certificate = c.keep();
  await until("the certificate is renewed", () => certificate.tls().cert !== old.cert);
  const now = certificate.tls();
  assert.ok(leftDays(now.cert) > 360);
  assert.is.not(now.key, old.key, "with a key of its own");
  assert.equal(loadIdentity(c.dir)?.tls, now, "what a restart finds");
  const keys = readdirSync(c.dir).filter((name) => name.endsWith(".key"));
  assert.is(keys.length, 1, `the key before is gone: ${keys}`);
  assert.is(statSync(join(c.dir, keys[0] ?? "")).mode & 0o777, 0o600);
  const buffer = await c.openBuffer();
  const first = c.start(buffer, { ...certificate, tls: () => old });
  await until("the old one is still good", () => first.status().state === "online");
  await first.close();
  const second = c.start(buffer, certificate);
  await until("the new one is taken", () => second.status().state === "online");
  await second.close();
  const third = c.start(buffer, { ...certificate, tls: () => old });
  await until("the old one is refused", () => third.status().reason !== undefined);
  assert.is(third.status().connections, 0);
});

test("a renewal that was cut off before the document was written leaves what was, and its key goes with the next", async () => {
  const c = await oldCar(300);
  car = c;
  const left = join(c.dir, "device-0123456789abcdef.key");
  writeFileSync(left, "of an attempt that was cut off", { mode: 0o600 });
  assert.equal(loadIdentity(c.dir)?.tls, c.identity.tls);
  const certificate = c.keep();
  await until("the certificate is renewed", () => certificate.tls().cert !== c.identity.tls.cert);
  assert.not.ok(readdirSync(c.dir).includes("device-0123456789abcdef.key"));
  assert.equal(loadIdentity(c.dir)?.tls, certificate.tls());
});

test("a renewal whose document was written, but not known to be durable, is taken and not asked for again", async () => {
  const c = await oldCar(300);
  car = c;
  const first = c.keep();
  await until("the certificate is renewed", () => first.tls().cert !== c.identity.tls.cert);
  const onDisk = loadIdentity(c.dir)?.tls;
  const known = (await c.store.vehicle(ADDRESS.vehicle))?.renewedSerial;
  // As after a failed flush of the folder: the agent has the old one still, a restart would find the new one.
  const { dir, identity, url } = c;
  const common = { clock: realClock, random: realRandom, log: silentLog };
  const certificate = keepCertificate({ dir, identity, url, latestMs: Date.now, ...common });
  await until("it is taken", () => certificate.tls().cert !== identity.tls.cert);
  certificate.close();
  assert.equal(certificate.tls(), onDisk);
  assert.is((await c.store.vehicle(ADDRESS.vehicle))?.renewedSerial, known);
});

test("an old key that cannot be deleted does not undo a renewal", async () => {
  const c = await oldCar(300);
  car = c;
  mkdirSync(join(c.dir, "device-0123456789abcdef.key"));
  const certificate = c.keep();
  await until("the certificate is renewed", () => certificate.tls().cert !== c.identity.tls.cert);
  assert.equal(loadIdentity(c.dir)?.tls, certificate.tls());
  assert.equal(c.notRenewed(), []);
});

test("a car whose old key is lost from the disk renews over the one that it holds", async () => {
  const c = await oldCar(300);
  car = c;
  const { dir, identity, url } = c;
  rmSync(join(dir, "device.key"));
  const common = { clock: realClock, random: realRandom, log: silentLog };
  const certificate = keepCertificate({ dir, identity, url, latestMs: Date.now, ...common });
  await until("the certificate is renewed", () => certificate.tls().cert !== identity.tls.cert);
  certificate.close();
  assert.equal(loadIdentity(dir)?.tls, certificate.tls());
});

test("P-01 a certificate that has run out is good for nothing but to renew it", async () => {
  const c = await oldCar(400);
  car = c;
  const buffer = await c.openBuffer();
  await buffer.append({ kind: "battery.low", data: { voltageV: 11.9 } });
  const idle = c.keep(() => 0);
  const refused = c.start(buffer, idle);
  await until("the broker refuses it", () => refused.status().reason !== undefined);
  assert.is(refused.status().connections, 0);
});

test("P-01 one that was revoked renews nothing", async () => {
  const c = await oldCar(400);
  car = c;
  await c.revoke();
  const certificate = c.keep();
  await until("it was refused", () => c.notRenewed().length > 0);
  assert.is(certificate.tls().cert, c.identity.tls.cert);
  assert.is((await c.store.vehicle(ADDRESS.vehicle))?.renewedSerial, undefined);
});

test("a car that does not know the time renews when it is refused", async () => {
  const c = await oldCar(400);
  car = c;
  const buffer = await c.openBuffer();
  const certificate = c.keep(() => 0);
  const uplink = c.start(buffer, certificate);
  await until("renewed and connected", () => uplink.status().state === "online");
  assert.not(serialOf(certificate.tls().cert) === serialOf(c.identity.tls.cert));
});

test("a car that was away for a year loses nothing, and takes up the keys of now", async () => {
  const c = await oldCar(400);
  car = c;
  const written: string[] = [];
  const put = async (count: number): Promise<void> => {
    const buffer = await c.openBuffer();
    for (let i = 0; i < count; i += 1) {
      const { log, lane, seq } = await buffer.append({
        kind: "diagnostic.note",
        data: { note: "away", number: i },
      });
      written.push(`${toHex(log)} ${lane} ${seq}`);
    }
    await buffer.close();
  };
  await put(30);
  await put(30);
  const buffer = await c.openBuffer();
  const certificate = c.keep();
  const uplink = c.start(buffer, certificate);
  const isEmpty = (): boolean => Object.values(buffer.status().segments).every((n) => n === 0);
  await until("all of it is stored", () => uplink.status().segmentsAcknowledged > 1 && isEmpty());
  c.identity.keys.apply(c.keyPush);
  buffer.renew(c.identity.keys.ingestKey());
  const { log, lane, seq } = await buffer.append({
    kind: "diagnostic.note",
    data: { note: "back" },
  });
  written.push(`${toHex(log)} ${lane} ${seq}`);
  const found = async (): Promise<readonly string[]> => {
    const { items } = await c.store.events({ vehicle: vehicleId("car-1"), limit: 1000 });
    const notes = items.filter((item) => "seq" in item && item.kind === "diagnostic.note");
    return notes.map((item) => `${item.log} ${item.lane} ${"seq" in item ? item.seq : 0}`).sort();
  };
  await until("what is sealed to the new key is stored", async () =>
    (await found()).some((place) => place.startsWith(toHex(log))),
  );
  assert.equal(await found(), written.sort());
  const opening = await c.store.opening(ADDRESS.vehicle, log);
  assert.is(opening?.ingestKeyVersion, 2);
});

test.run();
