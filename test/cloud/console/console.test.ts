/** The console in a real browser, against the real API and signer, with a car that speaks the protocol. */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { consoleFiles } from "@kerbside/console";
import {
  type CarEvent,
  encodeCbor,
  type OpenedSegment,
  randomBytes,
  sha256,
} from "@kerbside/protocol";
import { type Browser, chromium, type Page } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { DEMO } from "../commands/car.ts";
import { type Beside, CAR, openRig, type Rig } from "../commands/rig.ts";
import { ALL_SCOPES } from "../commands/tokens.ts";

const HOUR = 3_600_000;
const VISIBLE_MS_MAX = 15_000;
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
/** Where pictures go if somebody wants to look: `node console.test.ts --shots=FOLDER`. */
const shots = process.argv.find((word) => word.startsWith("--shots="))?.slice("--shots=".length);

type Context = { rig: Rig; browser: Browser; page: Page; errors: string[] };
const context: Partial<Context> = {};

function the<K extends keyof Context>(name: K): Context[K] {
  const value = context[name];
  if (value === undefined) throw new Error(`${name} is not there yet`);
  return value as Context[K];
}

/** The page and a token endpoint like the cloud's own, beside the API. */
const beside: Beside = (app, tokens) => {
  for (const { url, body, headers } of consoleFiles()) {
    app.get(url, (_request, reply) => reply.headers(headers).send(body));
  }
  app.addContentTypeParser("application/x-www-form-urlencoded", (_request, _payload, done) =>
    done(null),
  );
  app.post("/oauth/token", async (request, reply) => {
    const [scheme, credentials] = (request.headers.authorization ?? "").split(" ");
    const [client, secret] = Buffer.from(credentials ?? "", "base64")
      .toString()
      .split(":");
    if (scheme !== "Basic" || secret !== "the%20secret") {
      return reply.code(401).send({ error: "invalid_client" });
    }
    const scope = client === "staff" ? `${ALL_SCOPES} commands:operate` : ALL_SCOPES;
    const token = await tokens.mint({ scope, subject: client ?? "" });
    return { access_token: token, token_type: "Bearer", expires_in: 600 };
  });
};

let segments = 0;
let seq = 0;
async function report(events: readonly Pick<CarEvent, "kind" | "data">[]): Promise<void> {
  segments += 1;
  const store = await the("rig").store();
  const now = Date.now();
  const timed = events.map((event, i) => ({
    ...event,
    bootMs: 1_000_000 - (events.length - i) * 10,
    wallOffsetMs: now - 1_000_000,
    doubtMs: 5,
  }));
  const header = {
    tenant: DEMO,
    vehicle: CAR,
    log: new Uint8Array(16).fill(3),
    lane: "state",
    number: segments,
    firstSeq: seq + 1,
    count: events.length,
    ratchetIndex: segments,
    codec: "rows",
    bodyHash: randomBytes(32),
    previousHash: new Uint8Array(32),
  };
  seq += events.length;
  // What the ingest hands over once it has verified and opened a car's segment.
  const opened = { header, headerHash: sha256(encodeCbor(segments)), events: timed };
  await store.commitSegments([opened as unknown as OpenedSegment]);
}

async function signIn(client: string): Promise<void> {
  const page = the("page");
  await page.getByLabel("Client").fill(client);
  await page.getByLabel("Secret").fill("the secret");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "car-1" }).waitFor({ timeout: VISIBLE_MS_MAX });
}

async function shoot(name: string): Promise<void> {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await the("page").screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

async function book(): Promise<string> {
  const rig = the("rig");
  const reply = await rig.ask({
    path: "/v1/tenants/demo/bookings",
    token: await rig.issuer.mint(),
    body: {
      vehicle: "car-1",
      holder: "person-1",
      from: new Date(Date.now() - 1000).toISOString(),
      to: new Date(Date.now() + HOUR).toISOString(),
    },
    headers: { "idempotency-key": randomUUID() },
  });
  return reply.body.booking;
}

const street = Array.from({ length: 60 }, (_, i) => ({
  kind: "position.sampled" as const,
  data: {
    latitude: 48.137 + Math.sin(i / 9) * 0.0012 + i * 0.00004,
    longitude: 11.575 + i * 0.00009 + Math.cos(i / 7) * 0.0004,
    headingDeg: (i * 5) % 360,
    speedKmh: 30 + (i % 20),
    odometerM: 12_345_600 + i * 9,
  },
}));

const it = needs("chromium");
it("the console opens a car for a booking and shows each step", async () => {
  context.rig = await openRig(beside);
  await the("rig").car.announce();
  await report([
    { kind: "agent.started", data: { version: "0.1.0", previousEndedCleanly: true } },
    { kind: "lock.changed", data: { locked: true, cause: "command" } },
    { kind: "door.changed", data: { door: "driver", open: false } },
    { kind: "energy.changed", data: { fuelPercent: 62 } },
    { kind: "ignition.changed", data: { state: "OFF" } },
  ]);
  const args = FLAGS.split(" ");
  context.browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
  const page = await the("browser").newPage({ ignoreHTTPSErrors: true });
  context.page = page;
  page.setDefaultTimeout(VISIBLE_MS_MAX);
  context.errors = [];
  page.on("pageerror", (error) => the("errors").push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") the("errors").push(message.text());
  });
  const booking = await book();
  await page.goto(`https://localhost:${the("rig").port()}/console/`);
  await shoot("1-sign-in");
  await signIn("backend");
  await page.locator(".live.on", { hasText: "Live" }).waitFor();
  await page.locator('[data-fact="Lock"]', { hasText: /^locked$/ }).waitFor();
  await page.locator("#booking", { hasText: booking }).waitFor();
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Unlock" }).click();
  await page.locator('.current [data-state="executed"]').waitFor();
  const steps = await page.locator(".current .steps .step").allTextContents();
  assert.equal(steps, ["Accepted", "Signed", "Sent", "Received", "Done"]);
  await page.locator("#booking", { hasText: /open, to/ }).waitFor();
});

it("P-33 what the car reports appears by announcement and fetch, without a reload", async () => {
  await report([
    { kind: "lock.changed", data: { locked: false, cause: "command" } },
    { kind: "door.changed", data: { door: "driver", open: true } },
    { kind: "ignition.changed", data: { state: "ON" } },
    ...street,
  ]);
  const page = the("page");
  await page.locator('[data-fact="Doors"]', { hasText: "driver's door open" }).waitFor();
  await page.locator('[data-fact="Lock"]', { hasText: /^unlocked$/ }).waitFor();
  await page.getByRole("img", { name: /newest is 48\.1/ }).waitFor();
  assert.match(await page.locator('[data-fact="Speed"]').innerText(), "km/h");
});

it("a refusal names every unmet condition in words, and an absent car is said to be absent", async () => {
  const page = the("page");
  const { car } = the("rig");
  car.conduct = ["received", "refused"];
  car.unmet = [
    { condition: "door.driver", words: "the driver's door is open" },
    { condition: "ignition", words: "the ignition is on" },
  ];
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator('.current [data-state="refused"]').waitFor();
  const unmet = await page.locator(".current .unmet").allTextContents();
  assert.equal(unmet, ["the driver's door is open", "the ignition is on"]);
  await shoot("2-wide");
  await car.says("gone", car.epoch);
  await page.locator(".car > .sub", { hasText: "not connected" }).waitFor();
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Lock" }).click();
  await page.locator('.current [data-state="failed"]').waitFor();
  await car.announce({ reason: "reconnect" });
});

it("fits 360 pixels, dark and light, and staff act without a booking", async () => {
  const page = the("page");
  await page.getByRole("button", { name: "Sign out" }).click();
  assert.is(await page.getByLabel("Secret").inputValue(), "");
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("3-sign-in-narrow-dark");
  await signIn("staff");
  await page.locator('[data-fact="Lock"]').waitFor();
  await page.locator("#booking").selectOption("");
  the("rig").car.conduct = ["received", "executed"];
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Lock" }).click();
  await page.locator('.current [data-state="executed"]').waitFor();
  await shoot("4-narrow-dark");
  const wide = await page.evaluate(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  assert.is(wide, 0, "it overflows to the side");
});

it("keeps nothing in the browser, breaks no policy of its own, and refuses a wrong secret", async () => {
  const page = the("page");
  const kept = await page.evaluate("localStorage.length + sessionStorage.length");
  assert.is(kept, 0);
  assert.is((await page.context().cookies()).length, 0);
  await page.getByRole("button", { name: "Sign out" }).click();
  // The vehicle_offline answer is an HTTP error that the browser notes by itself.
  const errors = the("errors").filter((text) => !text.includes("status of 409"));
  assert.equal(errors, []);
  await page.getByLabel("Client").fill("backend");
  await page.getByLabel("Secret").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("Client or secret is wrong.").waitFor();
});

it("the API's own page loads from here alone and breaks no policy of its own", async () => {
  const page = await the("browser").newPage({ ignoreHTTPSErrors: true });
  const errors: string[] = [];
  const hosts = new Set<string>();
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(`https://localhost:${the("rig").port()}/docs`);
  await page
    .getByText("Ask a car for something", { exact: false })
    .waitFor({ timeout: VISIBLE_MS_MAX });
  assert.equal(errors, []);
  assert.equal([...hosts], [`localhost:${the("rig").port()}`]);
  await page.close();
});

test.after(async () => {
  await context.browser?.close();
  await context.rig?.close();
});

test.run();
