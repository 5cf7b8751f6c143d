/**
 * The first view of a fleet, from the address to the list that can be searched; then keys typed into the search while
 * cars report, each key held against what stands in the field and the time until the next picture. 160 of the cars are
 * light cars of the simulator that connect and drive; the others rest in the store.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRegistry } from "@kerbside/tenants";
import { type Browser, chromium, type Page } from "playwright-core";
import { Backend } from "../../scripts/demo/api.ts";
import { ensureOperator } from "../../scripts/demo/operator.ts";
import { prepareFolder } from "../../scripts/demo/options.ts";
import {
  type Cloud,
  ensureTenant,
  type Paths,
  pathsOf,
  startCloud,
  TENANT,
} from "../../scripts/demo/parts.ts";
import { runProgram, startProgram } from "../../scripts/demo/processes.ts";
import type { Row } from "../benchmark.ts";
import { AUDIT, carName, fillLatest } from "../store/cars.ts";

const CARS = 5000;
const MOVING = 160;
const VIEWS = 5;
const KEYS = 60;
const KEY_EVERY_MS = 150;
const VIEW_MS_MAX = 2000;
const UPDATES_MIN = 60;
/** Twice the time in which a person takes an answer for immediate (RAIL: 100 ms) is taken for a key that was lost. */
const KEY_MS_MAX = 200;
/** It is ended when the typing is. */
const DRIVE_SECONDS_MAX = 600;
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --enable-unsafe-swiftshader";

export async function* consoleRows(): AsyncGenerator<Row, void, undefined> {
  const paths = pathsOf(mkdtempSync(join(tmpdir(), "kerbside-bench-console-")));
  prepareFolder(paths.data);
  await ensureTenant(paths);
  await fill(paths);
  const { program, up } = startCloud(paths, { https: 0, broker: 0 });
  let browser: Browser | undefined;
  try {
    const cloud = await up;
    await ensureOperator(paths, cloud);
    const fleet = await joinMoving(paths, cloud);
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: FLAGS.split(" "),
    });
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await signIn(page, paths, cloud.ports.https);
    const backend = new Backend({ cloud, paths }, TENANT);
    yield* viewRows(page, backend);
    yield* await liveRows(page, paths, backend, fleet);
  } finally {
    await browser?.close();
    await program.stop();
    rmSync(paths.data, { recursive: true, force: true });
  }
}

/** Cars that are known, each with its newest events, and are not connected. */
async function fill({ cloud }: Paths): Promise<void> {
  const key = readFileSync(join(cloud, "secrets", "master-key"), "utf8").trim();
  const registry = await openRegistry({ dir: cloud, masterKey: Buffer.from(key, "base64url") });
  try {
    const tenant = await registry.tenant(TENANT);
    if (tenant === undefined) throw new Error("the tenant was just made");
    const common = { profile: "kerbside-sim", signingKey: new Uint8Array(32), enrolledAtMs: 1 };
    for (let car = 0; car < CARS - MOVING; car += 1)
      await tenant.store.putVehicle(
        { vehicle: carName(car), certificateSerial: "01", ...common },
        AUDIT,
      );
    await fillLatest(tenant.store, 0, CARS - MOVING);
  } finally {
    await registry.close();
  }
}

/** Lets the cars that will drive join, and says by which words they are driven. */
async function joinMoving(paths: Paths, { ports }: Cloud): Promise<readonly string[]> {
  const tokens = await runProgram("kerbside-cloud", [
    ...["vehicle", "enrol", "--tenant", TENANT, "--vehicle", "f", "--count", `${MOVING}`],
    ...["--profile", "kerbside-sim", "--data", paths.cloud, "--dev", "--json"],
  ]);
  const file = join(paths.data, "tokens");
  writeFileSync(file, tokens.map((line) => JSON.stringify(line)).join("\n"), { mode: 0o600 });
  const fleet = ["fleet", "--cars", `${MOVING}`, "--data", join(paths.data, "fleet"), "--json"];
  const url = `https://localhost:${ports.https}`;
  const joining = ["--url", url, "--ca", paths.ca, "--tokens", file];
  await runProgram("kerbside-sim", [...fleet, ...joining, "--seconds", "1", "--settle", "60"]);
  return fleet;
}

async function signIn(page: Page, paths: Paths, https: number): Promise<void> {
  await page.goto(`https://localhost:${https}/console/`);
  await page.getByLabel("Operator").fill(TENANT);
  await page.keyboard.press("Enter");
  await page.locator("input[name=user]").fill("operator");
  await page
    .locator("input[name=password]")
    .fill(readFileSync(paths.operatorPassword, "utf8").trim());
  await page.keyboard.press("Enter");
  await page.locator(".cars button").first().waitFor();
}

/** In the page: the time since its navigation began, once all cars are counted and the next picture is due. */
const SHOWN_MS = `new Promise((done) => {
  const look = () => document.querySelector(".finder .hint")?.textContent === "${CARS} of ${CARS} cars"
    ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 5);
  look();
})`;

/** In the page: the same until its map has them, and what there is to see beside them. */
const MAPPED_MS = `new Promise((done) => {
  const look = () => document.querySelector(".map [data-cars]") === null
    ? setTimeout(look, 5) : requestAnimationFrame(() => done(performance.now()));
  look();
})`;

async function* viewRows(page: Page, backend: Backend): AsyncGenerator<Row, void, undefined> {
  const [listMs, mapMs, cpuMs, bareMs]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let view = 0; view < VIEWS; view += 1) {
    const before = familyCpuMs();
    await page.reload({ waitUntil: "commit" });
    listMs.push(Number(await page.evaluate(SHOWN_MS)));
    // It can be worked with.
    await page.getByLabel("Search").fill("car-4321");
    await page.getByText(`1 of ${CARS} cars`).waitFor();
    mapMs.push(Number(await page.evaluate(MAPPED_MS)));
    cpuMs.push(familyCpuMs() - before);
    // At the same moment, as other work on the machine comes and goes.
    bareMs.push(await fetchAll(backend));
  }
  const row = (
    what: string,
    values: readonly number[],
    peer: Row["peer"],
    isHeld: boolean,
  ): Row => ({
    what: `${what} (${CARS} cars, signed in before)`,
    unit: "ms",
    ours: { name: "console", values },
    peer,
    goal: isHeld ? { of: "ours", atMost: VIEW_MS_MAX } : null,
  });
  const bare = { name: "the same cars fetched and parsed, no page", values: bareMs };
  yield row("from the address to a list that can be searched", listMs, bare, true);
  yield row("from the address to a map that shows them", mapMs, bare, true);
  yield row("time of processors for that, all processes of browser and cloud", cpuMs, null, false);
}

/** All cars, as any backend reads them: milliseconds. */
async function fetchAll(backend: Backend): Promise<number> {
  const fromMs = performance.now();
  let next: string | undefined;
  do {
    const after = next === undefined ? "" : `&after=${next}`;
    const { body } = await backend.ask(`/fleet?limit=1000${after}`);
    ({ next } = body as { readonly next?: string });
  } while (next !== undefined);
  return performance.now() - fromMs;
}

/** In the page: from each key to the picture after what it changed. */
const TIME_KEYS = `(() => {
  globalThis.keyMs = [];
  const field = document.getElementById("search");
  field.addEventListener("input", (event) => {
    const fromMs = event.timeStamp;
    requestAnimationFrame(() => setTimeout(() => keyMs.push(performance.now() - fromMs), 0));
  }, true);
})()`;

async function liveRows(
  page: Page,
  paths: Paths,
  backend: Backend,
  fleet: readonly string[],
): Promise<readonly Row[]> {
  // Each sample at once, in a segment of its own: that many announcements.
  const each = ["--day", "always", "--hz", "1", "--track-s", "1"];
  const words = ["--seconds", `${DRIVE_SECONDS_MAX}`, ...each];
  const driving = startProgram("kerbside-sim", [...fleet, ...words], paths.log("fleet"));
  await page.reload();
  await page.evaluate(SHOWN_MS);
  await page.getByText("Live", { exact: true }).waitFor();
  await until(page, backend, UPDATES_MIN * 4);
  await page.evaluate(TIME_KEYS);
  const field = page.getByLabel("Search");
  await field.fill("");
  const [fromCursor, fromMs] = [await cursorOf(backend), performance.now()];
  let expected = "";
  let dropped = 0;
  for (let key = 0; key < KEYS; key += 1) {
    const letter = String((key * 7) % 10);
    const atMs = performance.now();
    if (expected.length === 5) {
      await field.fill("");
      expected = "";
    }
    await field.press(letter);
    expected += letter;
    if ((await field.inputValue()) !== expected) dropped += 1;
    await page.waitForTimeout(Math.max(0, KEY_EVERY_MS - (performance.now() - atMs)));
  }
  const tookMs = performance.now() - fromMs;
  const updates = ((await cursorOf(backend)) - fromCursor) / (tookMs / 1000);
  const keyMs = (await page.evaluate("keyMs")) as readonly number[];
  await driving.stop();
  return rowsOf(updates, keyMs, dropped);
}

function rowsOf(updates: number, keyMs: readonly number[], dropped: number): readonly Row[] {
  const row = (what: string, unit: string, values: readonly number[], goal: Row["goal"]): Row => ({
    what,
    unit,
    ours: { name: "console", values },
    peer: null,
    goal,
  });
  const late = keyMs.filter((ms) => ms > KEY_MS_MAX).length;
  return [
    row("announcements that the page was told while somebody typed", "a second", [updates], {
      of: "ours",
      atLeast: UPDATES_MIN,
    }),
    row(`from a key in the search of ${CARS} cars to the picture after it`, "ms", keyMs, {
      of: "ours",
      atMost: KEY_MS_MAX / 2,
    }),
    row(`keys of ${KEYS} that did not arrive`, "keys", [dropped], { of: "ours", atMost: 0 }),
    row(`keys whose picture came more than ${KEY_MS_MAX} ms later`, "keys", [late], null),
  ];
}

async function cursorOf(backend: Backend): Promise<number> {
  const { body } = await backend.ask("/feed?after=end");
  return Number((body as { readonly next: string }).next);
}

/** Until so many more announcements have come: the cars are under way. */
async function until(page: Page, backend: Backend, more: number): Promise<void> {
  const from = await cursorOf(backend);
  while ((await cursorOf(backend)) - from < more) await page.waitForTimeout(250);
}

/** Ticks of a processor's time a second (sysconf(3), _SC_CLK_TCK). */
const TICKS_A_SECOND = 100;

/** What this process and all that it started have taken of the processors (proc(5), stat: utime and stime). */
function familyCpuMs(): number {
  const ticks = new Map<number, number>();
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat === undefined) continue;
    parents.set(pid, Number(stat[1]));
    ticks.set(pid, Number(stat[11]) + Number(stat[12]));
  }
  const isOurs = (pid: number | undefined): boolean =>
    pid === process.pid || (pid !== undefined && pid > 1 && isOurs(parents.get(pid)));
  let sum = 0;
  for (const [pid, own] of ticks) if (isOurs(pid)) sum += own;
  return (sum * 1000) / TICKS_A_SECOND;
}

/** Its fields after the name; undefined where it has ended meanwhile. */
function statOf(pid: number): readonly string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ");
  } catch {
    return undefined;
  }
}
