/**
 * A booking by hand, from both pages: made on the console, opened by a card and driven in the cockpit, locked by a phone,
 * ended and read on the console. Then each fault switch of the cockpit pressed in the browser, and what the car's real
 * agent told, answered or did of it.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { signingKey } from "@kerbside/protocol";
import { type Browser, chromium, type Page } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isJson, type Json } from "../../scripts/demo/api.ts";
import { VEHICLE } from "../../scripts/demo/parts.ts";
import { needs } from "../support/debian.ts";
import { BACK_MS_MAX, World } from "../support/world.ts";
import { axe, enterAs, FLAGS, go, shoot, type Visitor, visit } from "./visitor.ts";

const CARD = "04a1b2c3d4e5f6";
/** Weak coverage takes each packet at least so long, there and back (sim/network). */
const WEAK_ROUND_MS = 300;
/** From the plug to the first lock that moves: looked for every 2 s; the rest is for a machine that is busy. */
const LOCK_FOUND_MS_MAX = 10_000;
let world: World;
let browser: Browser;
let cockpit: Visitor;

const it = needs("chromium");
test.after(async () => {
  await browser?.close();
  await world?.[Symbol.asyncDispose]();
});

/** What the renter has: a card with a key, and a phone. The operator's backend gives both to the booking. */
const card = { uid: CARD, proof: "keyed", key: randomBytes(16).toString("hex"), uidRule: "never" };
const seed = randomBytes(32);

async function grant(booking: string): Promise<void> {
  const phone = Buffer.from(signingKey(seed).publicKey).toString("base64url");
  const actions = ["unlock_and_release", "end_rental"];
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
}

/** As one does while a car is still waking. */
async function hold(page: Page, kind: string, fields: Readonly<Record<string, string>>) {
  await page.getByLabel("What is held to the reader").selectOption(kind);
  for (const [name, value] of Object.entries(fields)) await page.getByLabel(name).fill(value);
  const granted = page.locator("#tap-shown", { hasText: "green: granted" });
  await world.until("it is granted", async () => {
    await page.getByRole("button", { name: "Hold to the reader" }).click();
    await page.locator("#tap-shown", { hasText: /^It shows/ }).waitFor();
    return granted.isVisible();
  });
}

/** By keys and pointer alone, from the door to the door. */
async function driveAndPark(page: Page): Promise<void> {
  const press = (name: string): Promise<void> =>
    page.getByRole("button", { name, exact: true }).click();
  const pressed = (name: string) =>
    page.getByRole("button", { name, exact: true, pressed: true }).waitFor();
  const door = page.locator(".leaf.driver");
  const [seat, belt] = [page.locator("#seat button").first(), page.locator("#seat button").nth(1)];
  const openAndClose = async (between: () => Promise<void>): Promise<void> => {
    await door.press("Enter");
    await page.locator(".leaf.driver.open").waitFor();
    await between();
    await door.press("Enter");
    await page.locator(".leaf.driver:not(.open)").waitFor();
  };
  await openAndClose(() => seat.click());
  await belt.click();
  await press("START");
  await page.locator(".dial[aria-label^='Engine']:not([aria-label*=': 0 '])").waitFor();
  await page.keyboard.down("s");
  await page.locator(".pedal.brake b", { hasText: /^[3-9]\d %|100 %/ }).waitFor();
  await press("D");
  await pressed("D");
  await page.getByRole("button", { name: /Parking brake/ }).click();
  await page.keyboard.up("s");
  await page.keyboard.down("ArrowUp");
  await page.locator(".dial[aria-label^='Speed: 2']").waitFor();
  await page.keyboard.up("ArrowUp");
  await page.keyboard.down("s");
  await page.locator(".dial[aria-label^='Speed: 0 km/h']").waitFor();
  await press("P");
  await pressed("P");
  await page.getByRole("button", { name: /Parking brake/ }).click();
  await page.keyboard.up("s");
  await press("LOCK");
  await pressed("LOCK");
  await belt.click();
  await openAndClose(() => seat.click());
}

it("a booking is made on the console, driven in the cockpit, and told on the console", async () => {
  world = await World.surrounded();
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS] });
  const operator = await visit(browser);
  await enterAs(world, operator, "operator");
  await go(operator.page, "#/bookings", "Bookings");
  await operator.page.getByLabel("Car", { exact: true }).fill(VEHICLE);
  await operator.page.getByLabel("Holder", { exact: true }).fill("person-1");
  await operator.page.getByRole("button", { name: "Make" }).click();
  const booked = operator.page.locator("tr[data-booking]");
  await booked.getByText("reserved").waitFor();
  await grant((await booked.getAttribute("data-booking")) ?? "");

  cockpit = await visit(browser, { viewport: { width: 1280, height: 900 } });
  const { page } = cockpit;
  await page.goto(`https://localhost:${world.sim.port}/#key=${world.sim.key}`);
  await page.locator("body.live .leaf.driver[aria-label*=', locked']").waitFor();
  await hold(page, "Card", { Number: CARD, "Card’s key": card.key });
  await page.locator(".leaf.driver[aria-label*='unlocked']").waitFor();
  // No command had to do with it: the car's own word is told of the booking, which is ended and not cancelled now.
  await booked.getByText("under way, opened by card").waitFor();
  await booked.getByRole("button", { name: "End", exact: true }).waitFor();
  assert.is(await booked.getByRole("button", { name: "Cancel" }).count(), 0);
  await driveAndPark(page);
  await hold(page, "Phone", { "Phone’s seed": seed.toString("hex"), Wants: "end_rental" });
  await page.locator(".leaf.driver[aria-label*=', locked']").waitFor();
  await booked.getByText("returned").waitFor();

  await go(operator.page, `#/car/${VEHICLE}`, VEHICLE);
  for (const words of [
    /^Rental began, by card/,
    /^Unlocked \(/,
    /^Driver's door opened/,
    /^Trip began/,
    /^Trip ended after/,
    /^Parked/,
    /^Locked \(/,
    /^Rental ended/,
  ])
    await operator.page.locator(".events li span", { hasText: words }).first().waitFor();
  await shoot(operator.page, "told");
  for (const { page: each, complaints } of [operator, cockpit]) {
    assert.equal(await axe(each), []);
    assert.equal(complaints, []);
  }
  await operator.leave();
});

async function press(name: string, on: boolean): Promise<void> {
  const one = cockpit.page.getByRole("switch", { name: new RegExp(`^${name}`) });
  await one.click();
  await cockpit.page.locator(`.fault[aria-checked='${on}']`, { hasText: name }).waitFor();
}

/** Pressed on for as long as it takes to see what comes of it. */
async function during(names: readonly string[], see: () => Promise<void>): Promise<void> {
  for (const name of names) await press(name, true);
  try {
    await see();
  } finally {
    for (const name of names) await press(name, false);
  }
}

/** Waits for an event that the cloud has of the agent, newer than `since`. */
async function told(since: Date, kind: string, data: Json = {}): Promise<Json> {
  let found: Json | undefined;
  const holds = async (): Promise<boolean> => {
    const query = `vehicle=${VEHICLE}&kind=${kind}&from=${since.toISOString()}&limit=1000`;
    const rows = await world.backend.all(`/events?${query}`);
    found = rows.filter(isJson).find((row) => {
      const said = row["data"];
      return isJson(said) && Object.entries(data).every(([key, value]) => said[key] === value);
    });
    return found !== undefined;
  };
  await world.until(`${kind} ${JSON.stringify(data)}`, holds, BACK_MS_MAX);
  return found ?? {};
}

const unmetOf = ({ result }: Json): unknown => (isJson(result) ? result["unmet"] : undefined);
const detailOf = ({ result }: Json, key: string): unknown =>
  isJson(result) ? result[key] : undefined;

it("switches of the body and its sensors are felt by the agent of a parked car", async () => {
  // Nobody has rented it: what moves it is a thief.
  const alone = new Date();
  await during(["GNSS spoofed"], async () => {
    await told(alone, "security.alarm", { alarm: "tow" });
  });
  const booking = await world.booking();
  await world.command("unlock", booking);
  const lock = (): Promise<Json> => world.command("lock", booking);
  const unlock = (): Promise<void> =>
    world.until("it to open again", async () => {
      return (await world.command("unlock", booking))["state"] === "executed";
    });
  const since = new Date();
  await during(["Door ajar", "Tamper", "Bus off"], async () => {
    await told(since, "door.changed", { door: "driver", open: true });
    await told(since, "tamper.changed", { open: true });
    await told(since, "fault.raised", { code: "can.bus_off" });
  });
  await told(since, "door.changed", { door: "driver", open: false });
  await unlock();
  await during(["Supply low"], async () => {
    assert.is((await lock())["state"], "refused");
    await told(since, "fault.raised", { code: "lock.supply_low" });
  });
  await unlock();
  await during(["Lock jam"], async () => {
    const jammed = await lock();
    assert.equal([jammed["state"], detailOf(jammed, "reason")], ["unknown", "jam"]);
  });
  await unlock();
  await during(["Lock dead"], async () => {
    assert.is((await lock())["state"], "refused");
    await told(since, "fault.raised", { code: "lock.no_travel" });
  });
  await unlock();
  await during(["Towed"], async () => {
    await world.until("a lock to be refused for the motion", async () =>
      JSON.stringify(unmetOf(await lock())).includes("not_moving"),
    );
  });
  assert.equal(cockpit.complaints, []);
});

it("switches of what a car drives by are felt by the agent on the way", async () => {
  const { page } = cockpit;
  await world.until("it to be given to the renter", async () => {
    return (await world.command("unlock_and_release", await openBooking()))["state"] === "executed";
  });
  const since = new Date();
  await press("GNSS lost", true);
  await page.locator("#street", { hasText: "no satellites" }).waitFor();
  const parked = world.cockpit("/api/script", { driveSeconds: 10 });
  await told(since, "trip.started");
  await during(["CAN unplugged"], async () => {
    await told(since, "fault.raised", { code: "can.silent" });
  });
  await told(since, "fault.cleared", { code: "can.silent" });
  await page.locator(".dial[aria-label^='Speed: ']:not([aria-label^='Speed: 0'])").waitFor();
  await during(["Sensor frozen"], async () => {
    await parked;
    const lock = await world.command("lock", await openBooking());
    assert.match(JSON.stringify(unmetOf(lock)), "not_moving");
  });
  const positions = await world.backend.all(
    `/events?vehicle=${VEHICLE}&kind=position.sampled&from=${since.toISOString()}&limit=1000`,
  );
  assert.equal(positions, [], "no position is made up");
  await press("GNSS lost", false);
  await during(["Speed lost"], async () => {
    const { body } = await world.operator.ask(`/vehicles/${VEHICLE}/commands?wait=20000`, {
      method: "POST",
      headers: { "idempotency-key": randomUUID() },
      body: { action: "immobilise" },
    });
    assert.match(JSON.stringify(isJson(body) ? unmetOf(body) : body), "standstill");
  });
  assert.equal(cockpit.complaints, []);
});

/** The booking of the tests of switches. */
async function openBooking(): Promise<string> {
  const rows = await world.backend.all("/bookings?limit=10");
  const open = rows.filter(isJson).find(({ state }) => state === "open");
  return String(open?.["booking"]);
}

it("switches of network, power, clock and disk are felt by the agent, and a thief's", async () => {
  const booking = await openBooking();
  const { page } = cockpit;
  for (const name of ["No coverage", "Garage"]) {
    const since = new Date();
    await during([name], async () => {
      await page.locator("#module-figures").getByText("none", { exact: true }).waitFor();
      await world.cockpit("/api/fault", { fault: "tamper", on: true });
      // The module has it and nobody hears of it.
      await page.locator("#lanes tr", { hasText: /^critical[1-9]/ }).waitFor();
      await world.cockpit("/api/fault", { fault: "tamper", on: false });
    });
    const { at } = await told(since, "tamper.changed", { open: true });
    assert.ok(Date.parse(String(at)) >= since.getTime(), "told with the time at which it happened");
  }
  await during(["Weak coverage"], async () => {
    const { steps } = await world.command("unlock", booking);
    const times = (Array.isArray(steps) ? steps : []).map(({ at }) => Date.parse(at));
    assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) >= WEAK_ROUND_MS);
  });
  await during(["Disk full"], async () => {
    await world.until("a command to say that it was not written down", async () => {
      const done = await world.command("unlock", booking);
      return done["state"] === "executed" && detailOf(done, "durable") === false;
    });
  });
  const unpluggedAt = new Date();
  await during(["Link unplugged"], async () => {
    await told(unpluggedAt, "fault.raised", { code: "lock.silent" });
    assert.match(JSON.stringify(unmetOf(await world.command("lock", booking))), "lock_controller");
  });
  const pluggedAtMs = Date.now();
  await world.until("the lock to be found again", async () => {
    return (await world.command("unlock", booking))["state"] === "executed";
  });
  const foundMs = Date.now() - pluggedAtMs;
  assert.ok(foundMs < LOCK_FOUND_MS_MAX, `${foundMs} ms`);
  const cutAt = new Date();
  await during(["Power cut"], async () => {
    await page.locator("#module-figures").getByText("off", { exact: true }).waitFor();
  });
  await told(cutAt, "agent.started", { previousEndedCleanly: false });
  const wrongAt = new Date();
  let rightAt = wrongAt;
  await during(["Clock wrong"], async () => {
    await told(wrongAt, "time.changed", { source: "cloud" });
    // Its log is written beside it, and may come a moment later.
    await world.until("the wrong clock in its log", async () =>
      readFileSync(world.paths.log("agent"), "utf8").includes('"time":"1970-01-01'),
    );
    rightAt = new Date();
  });
  // Started again with a clock that is right, and at its lock: what is unplugged sooner, it never heard of.
  await told(rightAt, "agent.started");
  await world.until("the lock to be found again", async () => {
    return (await world.command("unlock", booking))["state"] === "executed";
  });
  const stolenAt = new Date();
  await during(["Module stolen"], async () => {
    await told(stolenAt, "tamper.changed", { open: true });
    await told(stolenAt, "fault.raised", { code: "lock.silent" });
    await told(stolenAt, "fault.raised", { code: "reader.silent" });
  });
  assert.equal(cockpit.complaints, []);
});

test.run();
