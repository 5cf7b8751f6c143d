/**
 * The console in a real browser, on a whole system: somebody signs in, books a car, opens and locks it, and sees each
 * step. What an account may not see is not offered, nothing leaves the origin, and axe finds nothing serious.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { signingKey, vehicleId } from "@kerbside/protocol";
import { type Browser, chromium } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TENANT, VEHICLE } from "../../scripts/demo/parts.ts";
import { runCloud } from "../support/cloud-process.ts";
import { needs } from "../support/debian.ts";
import { looksAsStored } from "../support/pictures.ts";
import { World } from "../support/world.ts";
import {
  axe,
  enterAs,
  FLAGS,
  go,
  overflow,
  shoot,
  type TenantUse,
  type Visitor,
  visit,
  withTenant,
} from "./visitor.ts";

/** Of a car's page. */
const MOVING = ["dd", ".sub"];
/** Beside them on a desk: how long steps took decides how high the right column is. */
const MOVING_ON_A_DESK = [...MOVING, ".map", ".plot", "[data-fact=position]", ".stack:last-child"];
const CARD = "04a1b2c3d4e5f6";
let world: World;
let browser: Browser;

const enter = (visitor: Visitor, role: string): Promise<void> => enterAs(world, visitor, role);
const tenantOf: TenantUse = (use) => withTenant(world, use);

const it = needs("chromium");
test.after(async () => {
  await browser?.close();
  await world?.[Symbol.asyncDispose]();
});

it("P-33 P-70 an operator signs in, books a car, opens and locks it, and sees each step", async () => {
  world = await World.whole();
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS] });
  const visitor = await visit(browser);
  const { page, complaints, hosts } = visitor;
  await enter(visitor, "operator");
  await page.locator(".cars button").first().waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await page.locator("[data-drawn]").waitFor();
  await shoot(page, "fleet");
  await looksAsStored(page, "console-fleet", [".cars .sub", ".map"]);
  assert.equal(await axe(page), []);

  await go(page, "#/bookings", "Bookings");
  await page.getByLabel("Car", { exact: true }).fill("car-1");
  await page.getByLabel("Holder", { exact: true }).fill("person-1");
  await page.getByRole("button", { name: "Make" }).click();
  await page.locator("tr[data-booking]").first().waitFor();
  await shoot(page, "bookings");
  assert.equal(await axe(page), []);

  await go(page, "#/car/car-1", "car-1");
  await page.getByText("reserved", { exact: false }).first().waitFor({ state: "attached" });
  for (const [action, fact] of [
    ["Unlock", "unlocked"],
    ["Lock", "locked"],
  ] as const) {
    await page.getByRole("button", { name: action, exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: action, exact: true }).click();
    const card = page.locator(".control .command[data-state=executed]");
    await card.filter({ hasText: `${action} – Done` }).waitFor();
    for (const step of ["Accepted", "Signed", "Sent", "Received", "Done"]) {
      assert.is(await card.locator(".step", { hasText: step }).count(), 1, step);
    }
    await page.locator("dd[data-fact=Lock]", { hasText: new RegExp(`^${fact}$`) }).waitFor();
    if (action === "Unlock") await world.cockpit("/api/script", { driveSeconds: 5 });
  }
  await page.getByRole("button", { name: "Show where it is" }).click();
  await page.locator("[data-fact=position]").waitFor();
  await page.locator("[data-drawn]").waitFor();
  await shoot(page, "car");
  assert.equal(await axe(page), []);
  await looksAsStored(page, "console-car", MOVING_ON_A_DESK);
  await page.getByRole("button", { name: "Light or dark" }).click();
  await looksAsStored(page, "console-car-dark", MOVING_ON_A_DESK);
  assert.equal(await axe(page), []);
  await page.getByRole("link", { name: "Fleet" }).click();
  await page.locator("[data-drawn]").waitFor();
  await looksAsStored(page, "console-fleet-dark", [".cars .sub", ".map"]);

  await go(page, "#/bookings", "Bookings");
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
  await page.locator("tr[data-booking]", { hasText: "ended" }).waitFor();
  assert.equal(complaints, []);
  assert.equal([...hosts], [`localhost:${world.ports.https}`], "nothing leaves the origin");
  await visitor.leave();
});

it("it fits a phone, speaks German, and is readable in the dark", async () => {
  const visitor = await visit(browser, {
    viewport: { width: 360, height: 740 },
    colorScheme: "dark",
  });
  const { page, complaints } = visitor;
  await enter(visitor, "operator");
  await page.locator(".cars button").first().waitFor();
  await page.getByRole("button", { name: "Deutsch" }).click();
  await page.getByRole("link", { name: "Flotte" }).waitFor();
  await page.locator("[data-drawn]").waitFor();
  await looksAsStored(page, "console-fleet-phone-dark", [".cars .sub", ".map"]);
  const places = [
    ["#/", undefined],
    ["#/car/car-1", "car-1"],
    ["#/bookings", "Buchungen"],
    ["#/alarms", "Alarme"],
    ["#/quarantine", "Quarantäne"],
    ["#/support", "Support"],
  ] as const;
  for (const [hash, heading] of places) {
    if (heading !== undefined) await go(page, hash, heading);
    assert.ok((await overflow(page)) <= 0, `${hash} overflows`);
    assert.equal(await axe(page), [], hash);
    if (hash === "#/car/car-1") {
      await page.locator(".events time").first().waitFor();
      await looksAsStored(page, "console-car-phone-dark", MOVING);
    }
    if (hash === "#/support") await looksAsStored(page, "console-support-phone-dark");
    await shoot(page, `phone${hash.replaceAll("/", "-").replace("#", "")}`);
  }
  assert.equal(complaints, []);
  await visitor.leave();
});

it("P-70 a role decides what is seen; a wrong password opens nothing", async () => {
  const visitor = await visit(browser);
  const { page, complaints } = visitor;
  await page.goto(`https://localhost:${world.ports.https}/console/`);
  await page.getByLabel("Operator").fill("demo");
  await page.keyboard.press("Enter");
  await page.locator("input[name=user]").fill("operator");
  await page.locator("input[name=password]").fill("a guess that is long enough");
  await page.keyboard.press("Enter");
  await page.getByText("do not fit").waitFor();
  // The browser itself says that the page came with status 403.
  complaints.length = 0;

  await enter(visitor, "auditor");
  await page.getByRole("heading", { name: "Audit" }).waitFor();
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.locator("nav a").allTextContents(), ["Audit"]);
  await page.getByRole("button", { name: "Check the chain" }).click();
  await page.getByText(/^The chain holds: \d+ entries/).waitFor();
  await shoot(page, "audit");
  assert.equal(await axe(page), []);
  await page.evaluate(`location.hash = "#/bookings"`);
  await page.getByText("Your role does not show this.").waitFor();
  assert.equal(complaints, []);
  await visitor.leave();
});

it("P-40 P-52 whose booking it is stays hidden until somebody says why, and that is recorded", async () => {
  const visitor = await visit(browser);
  const { page, complaints } = visitor;
  await enter(visitor, "operator");
  await go(page, "#/bookings", "Bookings");
  const row = page.locator("tr[data-booking]").first();
  await row.getByText("hidden").waitFor();
  assert.not.match(await page.content(), /person-1/);
  await row.getByRole("button", { name: /^Show: Who holds booking/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Show" }).click();
  assert.ok(await dialog.isVisible(), "not without a reason");
  await dialog.getByLabel("Reason").fill("left a phone in the car");
  await shoot(page, "reveal");
  assert.equal(await axe(page), []);
  await dialog.getByRole("button", { name: "Show" }).click();
  await row.locator("[data-holder=person-1]").waitFor();
  const trail = await tenantOf(({ store }) => store.auditTrail(0, 1000));
  const entry = trail.find(({ action }) => action === "booking.reveal");
  assert.is(entry?.reason, "left a phone in the car");
  assert.equal(complaints, []);
  await visitor.leave();
});

it("what was put aside is listed with its reason and handed in again by the operator alone", async () => {
  const payload = new TextEncoder().encode("nothing that a car would say");
  const topic = `kb/v1/demo/${VEHICLE}/up/state`;
  const vehicle = vehicleId(VEHICLE);
  await tenantOf(({ store }) => store.quarantine({ vehicle, reason: "malformed", topic, payload }));
  const visitor = await visit(browser);
  const { page, complaints } = visitor;
  await enter(visitor, "operator");
  await go(page, "#/quarantine", "Quarantine");
  const row = page.locator("tr[data-message]", { hasText: "malformed" });
  await row.waitFor();
  await row.getByRole("button", { name: "Hand in again" }).click();
  await page.getByText("is refused again, and stays").waitFor();
  await shoot(page, "quarantine");
  assert.equal(await axe(page), []);
  assert.equal(complaints, []);
  await visitor.leave();
});

it("P-61 support sees a car for a ticket, once a manager has agreed, until it is ended", async () => {
  const [operator, support, manager] = [
    await visit(browser),
    await visit(browser),
    await visit(browser),
  ];
  await enter(operator, "operator");
  await go(operator.page, "#/support", "Support");
  await operator.page.getByLabel(/What is it about/).fill("the boot will not open");
  await operator.page.getByRole("button", { name: "Open a ticket" }).click();
  await operator.page.locator("[data-ticket]", { hasText: "the boot will not open" }).waitFor();

  await enter(support, "support");
  assert.equal(await support.page.locator("nav a").allTextContents(), ["Support"]);
  await support.page.getByLabel("Car", { exact: true }).fill(VEHICLE);
  await support.page.getByLabel("Reason").fill("what the boot's contact says");
  await support.page.getByRole("button", { name: "Ask for access" }).click();
  const asked = support.page.locator("tr[data-request]", { hasText: VEHICLE });
  await asked.getByText("asked", { exact: true }).waitFor();
  assert.is(await asked.getByRole("button", { name: "Look" }).count(), 0, "nobody has agreed yet");

  await enter(manager, "manager");
  await go(manager.page, "#/support", "Support");
  const wanted = manager.page.locator("tr[data-request]", { hasText: VEHICLE });
  await wanted.getByRole("button", { name: "Approve" }).click();
  await wanted.getByText(/^approved until/).waitFor();
  await shoot(manager.page, "support-manager");

  await support.page.reload();
  await asked.getByText(/^approved until/).waitFor();
  await asked.getByRole("button", { name: "Look" }).click();
  await support.page.locator("#seen-title + * li, #seen-title ~ ol li").first().waitFor();
  await shoot(support.page, "support");
  await wanted.getByRole("button", { name: "End" }).click();
  await wanted.getByText("ended", { exact: true }).waitFor();
  await support.page.reload();
  await asked.getByText("ended", { exact: true }).waitFor();
  assert.is(await asked.getByRole("button", { name: "Look" }).count(), 0);
  for (const { page, complaints, leave } of [operator, support, manager]) {
    assert.equal(await axe(page), []);
    assert.equal(complaints, []);
    await leave();
  }
});

it("P-81 P-82 a manager suspends a person, holds them, and erases them with a reason", async () => {
  const person = randomUUID();
  await tenantOf(({ store }) =>
    store.people.putPerson(
      { person, state: "active", profile: { name: "Ada" }, createdAtMs: Date.now() },
      { actor: "test", action: "person.create", subject: `person:${person}`, outcome: "done" },
    ),
  );
  const visitor = await visit(browser, { viewport: { width: 360, height: 740 } });
  const { page, complaints } = visitor;
  await enter(visitor, "manager");
  await go(page, "#/erasure", "Erasure");
  await page.getByLabel("Id of the person").first().fill(person);
  await page.getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Suspend" }).click();
  const row = page.locator(`tr[data-person="${person}"]`);
  await row.getByRole("button", { name: "Erase" }).waitFor();
  await page.getByLabel("Id of the person").last().fill(person);
  await page.getByLabel("Proceedings").fill("case 7");
  await page.getByLabel(/^Readers/).fill("counsel, court");
  await page.getByRole("button", { name: "Place a hold" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Place a hold" }).click();
  await row.getByText("held").waitFor();
  assert.is(await row.getByRole("button", { name: "Erase" }).count(), 0, "a hold keeps the person");
  await shoot(page, "phone-erasure");
  assert.equal(await axe(page), []);
  assert.ok((await overflow(page)) <= 0, "it overflows");
  await page.locator("[data-hold]").getByRole("button", { name: "Release" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Release" }).click();
  await row.getByRole("button", { name: "Erase" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Earlier only because the person asks for it", { exact: false }).waitFor();
  await dialog.getByLabel("Reason").fill("asked by letter of 20 November");
  await dialog.getByRole("button", { name: "Erase" }).click();
  await row.getByRole("button", { name: "Certify" }).waitFor();
  const erased = await tenantOf(({ store }) => store.people.person(person));
  assert.is(erased?.state, "erased");
  assert.equal(complaints, []);
  await visitor.leave();
});

it("a card and a phone held to the reader, both by hand on the page, open and lock the car", async () => {
  const visitor = await visit(browser);
  const { page, complaints } = visitor;
  const seed = randomBytes(32);
  const phone = Buffer.from(signingKey(seed).publicKey).toString("base64url");
  const key = randomBytes(16).toString("hex");
  const booking = await world.booking();
  const actions = ["unlock_and_release", "unlock", "lock"];
  const card = { uid: CARD, proof: "keyed", key, uidRule: "never" };
  for (const what of [{ card }, { phone }])
    await world.backend.must(`/bookings/${booking}/grants`, {
      method: "POST",
      headers: { "idempotency-key": randomUUID() },
      body: { actions, ...what },
    });
  await world.until("the car to confirm its list", async () => {
    const { body } = await world.backend.ask(`/vehicles/${VEHICLE}/grants`);
    return JSON.stringify(body).split('"state":"active"').length > 2;
  });
  await page.goto(`https://localhost:${world.sim.port}/#key=${world.sim.key}`);
  const door = page.locator(".leaf.driver");
  const hold = async (kind: "Card" | "Phone", fields: Readonly<Record<string, string>>) => {
    await page.getByLabel("What is held to the reader").selectOption(kind);
    for (const [name, value] of Object.entries(fields)) await page.getByLabel(name).fill(value);
    const granted = page.locator("#tap-shown", { hasText: "green: granted" });
    // As one does while a car is still waking.
    await world.until("it is granted", async () => {
      await page.getByRole("button", { name: "Hold to the reader" }).click();
      await page.locator("#tap-shown", { hasText: /^It shows/ }).waitFor();
      return granted.isVisible();
    });
  };
  await page.locator("body.live .leaf.driver[aria-label*=', locked']").waitFor();
  await hold("Card", { Number: CARD, "Card’s key": key });
  await page.locator(".leaf.driver[aria-label*='unlocked']").waitFor();
  await door.press("Enter");
  await page.locator(".leaf.driver.open").waitFor();
  await door.press("Enter");
  await page.locator(".leaf.driver:not(.open)").waitFor();
  await hold("Phone", { "Phone’s seed": seed.toString("hex"), Wants: "lock" });
  await page.locator(".leaf.driver[aria-label*=', locked']").waitFor();
  await shoot(page, "cockpit-tapped");
  assert.equal(await axe(page), []);
  assert.equal(complaints, []);
  await visitor.leave();
});

it("P-51 where requests must be signed by their callers, a person sees why the page cannot ask", async () => {
  const demand = async (signed: "yes" | "no"): Promise<void> => {
    const of = ["--data", world.paths.cloud, "--json", "--tenant", TENANT, "--signed", signed];
    const { code, err } = await runCloud(["request-key", "require", ...of]);
    assert.is(code, 0, err);
  };
  await demand("yes");
  const visitor = await visit(browser);
  const { page } = visitor;
  await enter(visitor, "operator");
  await go(page, `#/car/${VEHICLE}`, VEHICLE);
  const refusal = page.getByText("demands that callers sign (RFC 9421)", { exact: false });
  // The signer hears of it within 5 s; until then it is done.
  await world.until("it is refused", async () => {
    await page.getByRole("button", { name: "Lock", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Lock", exact: true }).click();
    const ended = ".control [data-state=executed], .control [data-state=failed]";
    await page.locator(ended).first().waitFor();
    return refusal.first().isVisible();
  });
  assert.equal(await axe(page), []);
  await visitor.leave();
  await demand("no");
});

test.run();
