/**
 * The console in a real browser, on a whole system: somebody signs in, books a car, opens and locks it, and sees each
 * step. What an account may not see is not offered, nothing leaves the origin, and axe finds nothing serious.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ensureOperator } from "../../scripts/demo/operator.ts";
import { needs } from "../support/debian.ts";
import { World } from "../support/world.ts";

const VISIBLE_MS_MAX = 40_000;
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --enable-unsafe-swiftshader";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
/** Where pictures go if somebody wants to look: `node console.test.ts --shots=FOLDER`. */
const shots = process.argv.find((word) => word.startsWith("--shots="))?.slice("--shots=".length);

type Visitor = {
  readonly page: Page;
  /** What the browser complained of, and hosts that were asked. */
  readonly complaints: string[];
  readonly hosts: Set<string>;
};

let world: World;
let browser: Browser;

async function visit(context: BrowserContext): Promise<Visitor> {
  const page = await context.newPage();
  page.setDefaultTimeout(VISIBLE_MS_MAX);
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  return { page, complaints, hosts };
}

async function signIn({ page }: Visitor, user: string, passwordFile: string): Promise<void> {
  await page.goto(`https://localhost:${world.ports.https}/console/`);
  await page.getByLabel("Operator").fill("demo");
  await page.keyboard.press("Enter");
  await page.locator("input[name=user]").fill(user);
  await page.locator("input[name=password]").fill(readFileSync(passwordFile, "utf8").trim());
  await page.keyboard.press("Enter");
  await page.locator("nav a").first().waitFor();
}

async function shoot(page: Page, name: string): Promise<void> {
  if (shots === undefined) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

type Found = { readonly id: string; readonly impact: string | null; readonly nodes: unknown[] };

/** Serious and critical findings of axe (WCAG 2.2 A and AA). The engine runs beside the page's own policy. */
async function axe(page: Page): Promise<readonly string[]> {
  const session = await page.context().newCDPSession(page);
  const expression = `${AXE};axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
    violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html }) => html) })))`;
  const { result } = await session.send("Runtime.evaluate", {
    expression,
    awaitPromise: true,
    returnByValue: true,
    allowUnsafeEvalBlockedByCSP: true,
  });
  await session.detach();
  const found = result.value as readonly Found[];
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes)}`);
}

async function go(page: Page, hash: string, heading: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await page.getByRole("heading", { name: heading, exact: true }).waitFor();
}

const overflow = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

const it = needs("chromium");
test.after(async () => {
  await browser?.close();
  await world?.[Symbol.asyncDispose]();
});

it("P-33 P-70 an operator signs in, books a car, opens and locks it, and sees each step", async () => {
  world = await World.whole();
  await ensureOperator(world.paths, world.cloud);
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS.split(" ") });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const visitor = await visit(context);
  const { page, complaints, hosts } = visitor;
  await signIn(visitor, "operator", world.paths.operatorPassword);
  await page.locator(".cars button").first().waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await shoot(page, "fleet");
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
  await shoot(page, "car");
  assert.equal(await axe(page), []);

  await go(page, "#/bookings", "Bookings");
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
  await page.locator("tr[data-booking]", { hasText: "ended" }).waitFor();
  assert.equal(complaints, []);
  assert.equal([...hosts], [`localhost:${world.ports.https}`], "nothing leaves the origin");
  await context.close();
});

it("it fits a phone, speaks German, and is readable in the dark", async () => {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width: 360, height: 740 },
    colorScheme: "dark",
  });
  const visitor = await visit(context);
  const { page, complaints } = visitor;
  await signIn(visitor, "operator", world.paths.operatorPassword);
  await page.locator(".cars button").first().waitFor();
  await page.getByRole("button", { name: "Deutsch" }).click();
  await page.getByRole("link", { name: "Flotte" }).waitFor();
  const places = [
    ["#/", undefined],
    ["#/car/car-1", "car-1"],
    ["#/bookings", "Buchungen"],
    ["#/alarms", "Alarme"],
  ] as const;
  for (const [hash, heading] of places) {
    if (heading !== undefined) await go(page, hash, heading);
    assert.ok((await overflow(page)) <= 0, `${hash} overflows`);
    assert.equal(await axe(page), [], hash);
    await shoot(page, `phone${hash.replaceAll("/", "-").replace("#", "")}`);
  }
  assert.equal(complaints, []);
  await context.close();
});

it("P-70 a role decides what is seen; a wrong password opens nothing", async () => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const visitor = await visit(context);
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

  const auditor = { cloud: world.paths.cloud, operatorPassword: `${world.paths.data}/auditor` };
  await ensureOperator(auditor, world.cloud, "auditor");
  await signIn(visitor, "auditor", auditor.operatorPassword);
  await page.getByRole("heading", { name: "Audit" }).waitFor();
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.locator("nav a").allTextContents(), ["Audit"]);
  await shoot(page, "audit");
  assert.equal(await axe(page), []);
  await page.evaluate(`location.hash = "#/bookings"`);
  await page.getByText("Your role does not show this.").waitFor();
  assert.equal(complaints, []);
  await context.close();
});

test.run();
