/**
 * What is done on the console without a car near: a map with streets from a server that the operator chose, a hold on a
 * car, the certificate of an erasure, a message that was put aside and is stored once what stood against it is mended, and
 * an address that is told what changes, refuses it, and is sent it again.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import {
  cryptoReady,
  fromHex,
  LANES,
  signingKey,
  tenantId,
  vehicleId,
  verifyKey,
  verifySignature,
} from "@kerbside/protocol";
import { LightBuffer } from "@kerbside/sim";
import { statementBytes } from "@kerbside/tenants";
import { type Browser, chromium } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TENANT } from "../../scripts/demo/parts.ts";
import { openReceiver } from "../cloud/webhooks/receiver.ts";
import { makeCertificate } from "../sim/rig.ts";
import { needs } from "../support/debian.ts";
import { realRandom } from "../support/runtime.ts";
import { World } from "../support/world.ts";
import { axe, enterAs, FLAGS, go, overflow, shoot, visit, withTenant } from "./visitor.ts";

const DAY_MS = 86_400_000;
/** One pixel, blue. */
const TILE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPj/HwADBwIAMCbHYQAAAABJRU5ErkJggg==",
  "base64",
);
let world: World;
let browser: Browser;

/** A server on the loopback, and the paths that it was asked for. */
async function tileServer(): Promise<{
  readonly port: number;
  readonly asked: string[];
  readonly close: () => void;
}> {
  const { certificate, key } = await makeCertificate();
  const asked: string[] = [];
  const server = createServer({ cert: certificate, key }, (request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(200, { "content-type": "image/png", "access-control-allow-origin": "*" });
    response.end(TILE);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { port: typeof address === "object" && address !== null ? address.port : 0, asked, close };
}

const [chosen, other, receiver] = [await tileServer(), await tileServer(), await openReceiver()];
const it = needs("chromium");
test.after(async () => {
  await browser?.close();
  await world?.[Symbol.asyncDispose]();
  await receiver.close();
  chosen.close();
  other.close();
});

it("streets come from the chosen server and from no other, with whose they are", async () => {
  world = await World.cloudOnly(async ({ data }) => {
    const ca = join(data, "receiver.pem");
    writeFileSync(ca, receiver.ca);
    return [
      ...["--tiles", `https://localhost:${chosen.port}/s/{z}/{x}/{y}.png`],
      ...["--tiles-credit", "Streets of <b>nobody</b>"],
      ...["--webhook-networks", "127.0.0.0/8,::1/128", "--webhook-ca", ca],
    ];
  });
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS] });
  const visitor = await visit(browser);
  const { page, complaints, hosts } = visitor;
  await enterAs(world, visitor, "operator");
  await page.locator("[data-drawn] .credit", { hasText: "Streets of <b>nobody</b>" }).waitFor();
  await world.until("tiles to be asked for", async () => chosen.asked.length > 0);
  for (const path of chosen.asked) assert.match(path, /^\/s\/\d+\/\d+\/\d+\.png$/);
  await shoot(page, "streets");
  assert.equal(await axe(page), []);
  assert.equal(complaints, []);
  const own = `localhost:${world.ports.https}`;
  assert.equal(new Set([...hosts, own]), new Set([own, `localhost:${chosen.port}`]));

  const blocked = await page.evaluate(
    `fetch("https://localhost:${other.port}/1/1/1.png").then(() => "came", () => "refused")`,
  );
  assert.is(blocked, "refused");
  assert.ok(complaints.some((words) => words.includes("Content Security Policy")));
  assert.equal(other.asked, []);
  await visitor.leave();
});

it("P-82 a car's times are held for named readers and released, each once that is confirmed", async () => {
  const vehicle = vehicleId("car-7");
  await withTenant(world, ({ store }) =>
    store.putVehicle(
      {
        ...{ vehicle, profile: "kerbside-sim", certificateSerial: "01", enrolledAtMs: 1 },
        signingKey: randomBytes(32),
      },
      { actor: "test", action: "vehicle.enrol", subject: `vehicle:${vehicle}`, outcome: "done" },
    ),
  );
  const visitor = await visit(browser, { viewport: { width: 360, height: 740 } });
  const { page, complaints } = visitor;
  await enterAs(world, visitor, "manager");
  await go(page, "#/erasure", "Erasure");
  await page.getByLabel("Kept").selectOption("Car");
  await page.getByLabel("Car", { exact: true }).fill(vehicle);
  await page.getByLabel("From").fill("2026-01-05T08:00");
  await page.getByLabel("To", { exact: true }).fill("2026-01-05T09:30");
  await page.getByLabel("Proceedings").fill("case 12");
  await page.getByLabel(/^Readers/).fill("counsel, court");
  assert.equal(await axe(page), []);
  assert.ok((await overflow(page)) <= 0, "it overflows");
  const place = page.getByRole("button", { name: "Place a hold" });
  await place.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("a copy of it is kept for counsel, court", { exact: false }).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  const holds = () => withTenant(world, ({ store }) => store.people.holds());
  assert.equal(await holds(), [], "nothing is placed before it is confirmed");
  await place.click();
  await shoot(page, "phone-hold");
  await dialog.getByRole("button", { name: "Place a hold" }).click();
  const row = page.locator("[data-hold]", { hasText: vehicle });
  await row.getByText("counsel, court", { exact: false }).waitFor();
  const [hold] = await holds();
  if (hold?.vehicle === undefined) throw new Error("the hold is on a car");
  const minutes = (hold.toMs - hold.fromMs) / 60_000;
  assert.equal([hold.vehicle, hold.reason, minutes], [vehicle, "case 12", 90]);
  await row.getByRole("button", { name: "Release" }).click();
  await dialog.getByText("Its copy is destroyed", { exact: false }).waitFor();
  await dialog.getByRole("button", { name: "Release" }).click();
  await row.getByText("released", { exact: false }).waitFor();
  assert.ok((await holds())[0]?.releasedAtMs);
  const trail = await withTenant(world, ({ store }) => store.auditTrail(0, 1000));
  const deeds = trail.filter(({ action }) => action.startsWith("hold."));
  assert.equal(
    deeds.map(({ action, outcome }) => [action, outcome]),
    [
      ["hold.place", "done"],
      ["hold.release", "done"],
    ],
  );
  assert.equal(complaints, []);
  await visitor.leave();
});

it("P-31 P-81 an erasure is certified on the page once backups have ended, and the signature holds", async () => {
  const person = randomUUID();
  const common = { actor: "test", subject: `person:${person}`, outcome: "done" } as const;
  await withTenant(
    world,
    async ({ store: { people } }) => {
      const record = { person, profile: { name: "Ada" }, createdAtMs: Date.now() - 50 * DAY_MS };
      await people.putPerson(
        { ...record, state: "active" },
        { ...common, action: "person.create" },
      );
      await people.putPerson(
        { ...record, state: "suspended", suspendedAtMs: Date.now() - 45 * DAY_MS },
        { ...common, action: "person.suspend" },
      );
      await people.erasePerson(person, { ...common, action: "person.erase" });
    },
    () => Date.now() - 40 * DAY_MS,
  );
  const visitor = await visit(browser);
  const { page, complaints } = visitor;
  await enterAs(world, visitor, "manager");
  await go(page, "#/erasure", "Erasure");
  await page
    .locator(`tr[data-person="${person}"]`)
    .getByRole("button", { name: "Certify" })
    .click();
  const card = page.locator("section", { has: page.locator("#certificate-title") }).last();
  await card.getByText(person, { exact: false }).waitFor();
  const [statement = "", publicKey = "", signature = ""] = await card
    .locator("p.id")
    .allTextContents();
  assert.is(JSON.parse(statement).person, person);
  const key = publicKey.replace("Ed25519 ", "");
  const signed = statementBytes({ statement, publicKey: key, signature });
  assert.ok(verifySignature(verifyKey(fromHex(key)), signed, fromHex(signature)));
  await shoot(page, "certificate");
  assert.equal(await axe(page), []);
  assert.equal(complaints, []);
  await visitor.leave();
});

it("a message of a car that was not known is stored when it is handed in again after that", async () => {
  await cryptoReady();
  const vehicle = vehicleId("car-9");
  const key = signingKey(randomBytes(32));
  const message = await withTenant(world, async ({ store, vault }) => {
    const pair = await vault.get("ingest/1");
    if (pair === undefined) throw new Error("the tenant has an ingest key");
    const buffer = new LightBuffer({
      ...{ address: { tenant: tenantId(TENANT), vehicle }, signingKey: key },
      ingestKey: { version: 1, publicKey: pair.slice(0, pair.length / 2) },
      ...{ agentVersion: "0.1.0", random: realRandom, nowMs: Date.now, onStored: () => undefined },
    });
    const time = { bootMs: 1000, wallOffsetMs: Date.now() - 1000, doubtMs: 5 };
    buffer.append("state", { kind: "trip.started", data: {}, ...time });
    buffer.closeOlder({ critical: 0, state: 0, track: 0 });
    const next = buffer.next({ skip: new Set(), newestStateFirst: false, lanes: LANES });
    if (next === undefined) throw new Error("a segment was closed");
    const topic = `kb/v1/demo/${vehicle}/up/state`;
    await store.quarantine({ vehicle, reason: "unknown_vehicle", topic, payload: next.message });
    await store.putVehicle(
      {
        ...{ vehicle, profile: "kerbside-sim", certificateSerial: "02", enrolledAtMs: 1 },
        signingKey: key.publicKey,
      },
      { actor: "test", action: "vehicle.enrol", subject: `vehicle:${vehicle}`, outcome: "done" },
    );
    return next.message;
  });
  assert.ok(message.length > 0);
  const visitor = await visit(browser);
  const { page, complaints } = visitor;
  await enterAs(world, visitor, "operator");
  const offered = await page.locator("nav a").allTextContents();
  assert.not(offered.includes("Webhooks"), "a manager's");
  await go(page, "#/quarantine", "Quarantine");
  const row = page.locator("tr[data-message]", { hasText: vehicle });
  await row.getByRole("button", { name: "Hand in again" }).click();
  await page.getByText(": is stored", { exact: false }).waitFor();
  await row.waitFor({ state: "detached" });
  const stored = await world.backend.all(`/events?vehicle=${vehicle}&limit=10`);
  assert.is(stored.length, 1);
  assert.equal(await axe(page), []);
  assert.equal(complaints, []);
  await visitor.leave();
});

/** As enrolment does: the feed tells of it. */
const enrol = (vehicle: string): Promise<void> =>
  withTenant(world, ({ store }) =>
    store.putVehicle(
      {
        ...{ vehicle: vehicleId(vehicle), profile: "kerbside-sim", certificateSerial: "03" },
        ...{ enrolledAtMs: 1, signingKey: randomBytes(32) },
      },
      { actor: "test", action: "vehicle.enrol", subject: `vehicle:${vehicle}`, outcome: "done" },
    ),
  );

/** What waits is refused for the last time, as if hours had gone by: whoever has it now has it no more. */
const giveUp = (webhook: string): Promise<void> =>
  withTenant(
    world,
    async ({ store: { webhooks } }) => {
      const claimed = await webhooks.claimDelivery(webhook, "test", 1000);
      if (claimed === undefined) throw new Error("something waits");
      const dead = { at: "dead", why: "status 500" } as const;
      await webhooks.settleDelivery(webhook, claimed.batch.id, "test", dead);
    },
    () => Date.now() + 3 * 3_600_000,
  );

it("P-23 an address is told what changes: its secret is shown once, what it refuses is seen and sent again", async () => {
  const visitor = await visit(browser, { viewport: { width: 360, height: 740 } });
  const { page, complaints } = visitor;
  await enterAs(world, visitor, "manager");
  await go(page, "#/webhooks", "Webhooks");
  const address = page.getByLabel("Address (public, HTTPS)");
  const add = page.getByRole("button", { name: "Add" });
  await address.fill("https://10.1.2.3/hook");
  await add.click();
  await page.getByRole("alert").getByText("expected a public address", { exact: false }).waitFor();
  // The browser itself says that the answer had status 400.
  complaints.length = 0;
  await address.fill(receiver.url);
  await page.getByLabel("cars", { exact: true }).check();
  await add.click();
  receiver.secret = (await page.locator("[data-secret]").textContent()) ?? "";
  await page.locator("[data-webhook]").getByText("On: what changes is sent.").waitFor();
  assert.equal(await axe(page), []);
  assert.ok((await overflow(page)) <= 0, "it overflows");
  await shoot(page, "phone-webhook-secret");
  await page.getByRole("button", { name: "I have kept it" }).click();
  assert.not.match(await page.content(), /whsec_/);

  receiver.answer = 500;
  await enrol("car-11");
  const hook = page.locator("[data-webhook]");
  await hook.getByText("Not taken so far: status 500", { exact: false }).waitFor();
  await hook.getByText(/^Nothing was taken since/).waitFor();
  await giveUp((await hook.getAttribute("data-webhook")) ?? "");
  await hook.locator("[data-delivery]", { hasText: "status 500 tries: " }).waitFor();
  await shoot(page, "phone-webhook-dead");
  await page.getByRole("button", { name: "Deutsch" }).click();
  await hook.getByText("Aufgegeben: 1").waitFor();
  assert.equal(await axe(page), []);
  assert.ok((await overflow(page)) <= 0, "it overflows in German");
  await shoot(page, "phone-webhook-german");
  receiver.answer = 204;
  await hook.getByRole("button", { name: "Noch einmal senden" }).click();
  await hook.getByText("An: was sich ändert, wird gesendet.").waitFor();
  await hook.getByText("Aufgegeben: 1").waitFor({ state: "detached" });
  await world.until("it is sent again", async () => receiver.heard.at(-1)?.verified === true);
  assert.is(new Set(receiver.heard.map(({ id }) => id)).size, 1, "one message, however often");
  assert.equal(receiver.heard.at(-1)?.ids, ["car-11"]);

  await page.getByRole("button", { name: "English" }).click();
  await hook.getByRole("button", { name: "Turn off" }).click();
  await hook.getByText("somebody turned it off", { exact: false }).waitFor();
  await hook.getByRole("button", { name: "Remove" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The feed has all of it still", { exact: false }).waitFor();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await page.getByText("No address is told yet.").waitFor();
  assert.equal(complaints, []);
  await visitor.leave();
});

test.run();
