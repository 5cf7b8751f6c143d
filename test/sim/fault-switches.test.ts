/** Each fault switch of the cockpit, pressed in a real browser, against a module and a cloud that feel it. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import { startDrive, supervise } from "@kerbside/sim";
import { type Browser, chromium, type Page } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../support/debian.ts";
import { realClock, realRandom } from "../support/runtime.ts";
import { until } from "../support/wait.ts";
import { CHROMIUM_FLAGS } from "./browser.ts";
import { makeCertificate, makeDirectory } from "./rig.ts";

const pem = await makeCertificate();

/** Plays a module: says what its clock says, and whether it can write. */
const MODULE = `
import { appendFileSync, writeSync } from "node:fs";
const [file] = process.argv.slice(2);
appendFileSync(file, JSON.stringify({ pid: process.pid, year: new Date().getFullYear(), now: Date.now() }) + "\\n");
let failed = false;
process.on("SIGTERM", () => process.exit(0));
// Its standard error may be a file, which is full as well.
process.stderr.on("error", () => undefined);
setInterval(() => {
  try { appendFileSync(file + ".data", "x".repeat(100)); failed = false; }
  catch (error) { if (!failed) process.stderr.write("cannot write: " + error.code + "\\n"); failed = true; }
}, 30);
`;

type Scene = {
  readonly page: Page;
  readonly drive: Awaited<ReturnType<typeof startDrive>>;
  /** What the module has said at each of its starts. */
  readonly starts: () => readonly { readonly pid: number; readonly year: number }[];
  readonly written: () => number;
  /** A byte to the far end of the network and back; undefined while none comes. */
  readonly echo: (text: string) => Promise<string>;
  readonly complaints: string[];
};

function size(file: string): number {
  try {
    return readFileSync(file).length;
  } catch {
    return 0;
  }
}

let browser: Browser | undefined;
test.after(async () => {
  await browser?.close();
});

async function withScene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const { path, remove } = makeDirectory();
  const far = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => far.listen(0, "127.0.0.1", resolve));
  const address = far.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const drive = await startDrive({
    ...{ dataDir: path, seed: 9, travel: { minMs: 20, maxMs: 40 } },
    cockpit: { port: 0, certificate: pem.certificate, key: pem.key },
    network: { host: "127.0.0.1", port },
    ...{ clock: realClock, random: realRandom },
  });
  const script = join(path, "module.mjs");
  const file = join(path, "said");
  writeFileSync(script, MODULE);
  const ending = new AbortController();
  const supervised = supervise({
    path: join(path, "module.sock"),
    command: [process.execPath, script, file],
    ...{ clock: realClock, signal: ending.signal },
  });
  let line: Socket | undefined;
  const echo = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      line ??= dial(drive.networkPort ?? 0, "127.0.0.1");
      line.removeAllListeners("data");
      line.on("error", reject);
      line.on("data", (chunk: Buffer) => resolve(chunk.toString()));
      line.write(text);
    });
  browser ??= await chromium.launch({ executablePath: "/usr/bin/chromium", args: CHROMIUM_FLAGS });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    const key = readFileSync(drive.cockpitKeyFile, "utf8").trim();
    await page.goto(`https://localhost:${drive.cockpitPort}/#key=${key}`);
    await page.waitForSelector("body.live .leaf.driver[aria-label]");
    await page.locator("#module-figures").getByText("on", { exact: true }).waitFor();
    const starts = () =>
      size(file) === 0
        ? []
        : readFileSync(file, "utf8")
            .trim()
            .split("\n")
            .map((text) => JSON.parse(text));
    const written = (): number => size(`${file}.data`);
    await body({ page, drive, starts, written, echo, complaints });
  } finally {
    await context.close();
    ending.abort();
    await supervised;
    line?.destroy();
    await drive.close();
    await new Promise((resolve) => far.close(resolve));
    remove();
  }
}

const browserTest = needs("chromium");

async function press({ page }: Scene, name: string, on: boolean): Promise<void> {
  const one = page.getByRole("switch", { name: new RegExp(`^${name}`) });
  await one.click();
  await page.locator(`.fault[aria-checked='${on}']`, { hasText: name }).waitFor();
}

browserTest("no coverage holds what is sent; it arrives once there is coverage again", async () => {
  await withScene(async (scene) => {
    assert.is(await scene.echo("before"), "before");
    await press(scene, "No coverage", true);
    let came: string | undefined;
    const later = scene.echo("during").then((text) => {
      came = text;
    });
    await scene.page.locator("#module-figures").getByText("none", { exact: true }).waitFor();
    assert.is(came, undefined);
    await press(scene, "No coverage", false);
    await later;
    assert.is(came, "during");
    assert.equal(scene.complaints, []);
  });
});

browserTest("weak coverage delays; a garage takes network and satellites", async () => {
  await withScene(async (scene) => {
    await scene.echo("before");
    await press(scene, "Weak coverage", true);
    const sentMs = performance.now();
    await scene.echo("slow");
    assert.ok(performance.now() - sentMs > 250, "two ways, each of 150 ms at least");
    await press(scene, "Weak coverage", false);
    await press(scene, "Garage", true);
    assert.is(scene.drive.simulation.world.car.faults.gnssLost, true);
    await scene.page.locator("#street", { hasText: "no satellites" }).waitFor();
    await scene.page.locator("#module-figures").getByText("none", { exact: true }).waitFor();
    await press(scene, "Garage", false);
    assert.is(scene.drive.simulation.world.car.faults.gnssLost, false);
    assert.is(await scene.echo("again"), "again");
    assert.equal(scene.complaints, []);
  });
});

browserTest(
  "a power cut ends the module without a word; it starts again with the power",
  async () => {
    await withScene(async (scene) => {
      const [first] = scene.starts();
      await press(scene, "Power cut", true);
      await scene.page.locator("#module-figures").getByText("off", { exact: true }).waitFor();
      assert.throws(() => process.kill(first?.pid ?? 0, 0), /ESRCH/);
      await press(scene, "Power cut", false);
      await until("it has started again", () => scene.starts().length === 2);
      assert.equal(scene.complaints, []);
    });
  },
);

browserTest("a wrong clock is found at the next start; a full disk takes no more", async () => {
  await withScene(async (scene) => {
    await press(scene, "Clock wrong", true);
    await until("it has started with the wrong clock", () => scene.starts().length === 2);
    assert.is(scene.starts().at(-1)?.year, 1970);
    await press(scene, "Clock wrong", false);
    await until("it has started with the right one", () => scene.starts().length === 3);
    assert.ok((scene.starts().at(-1)?.year ?? 0) > 2020);
    const before = scene.written();
    await until("it writes", () => scene.written() > before);
    await press(scene, "Disk full", true);
    let [last, still] = [-1, 0];
    await until("nothing is written any more", () => {
      still = scene.written() === last ? still + 1 : 0;
      last = scene.written();
      return still > 40;
    });
    await press(scene, "Disk full", false);
    await until("it writes again", () => scene.written() > last);
    assert.equal(scene.complaints, []);
  });
});

browserTest(
  "a stolen module has no car around it; a bus that is off says so to who listens",
  async () => {
    await withScene(async (scene) => {
      await press(scene, "Module stolen", true);
      const { faults } = scene.drive.simulation.world.car;
      assert.ok(faults.tamper && faults.canUnplugged && faults.linkUnplugged);
      await press(scene, "Module stolen", false);
      await press(scene, "Bus off", true);
      assert.is(scene.drive.simulation.world.car.faults.busOff, true);
      assert.equal(scene.complaints, []);
    });
  },
);

browserTest("every switch of the body is there, goes on and goes off", async () => {
  await withScene(async (scene) => {
    const names = Object.keys(scene.drive.simulation.world.car.faults);
    const switches = scene.page.getByRole("switch");
    await switches.nth(names.length - 1).waitFor();
    for (let index = 0; index < names.length; index += 1) {
      const one = switches.nth(index);
      await one.focus();
      await scene.page.keyboard.press("Space");
    }
    await until("all are on", () =>
      Object.values(scene.drive.simulation.world.car.faults).every((on) => on),
    );
    for (let index = 0; index < names.length; index += 1) await switches.nth(index).click();
    await until("all are off", () =>
      Object.values(scene.drive.simulation.world.car.faults).every((on) => !on),
    );
    assert.equal(scene.complaints, []);
  });
});

browserTest("a card is held to the reader, and what it shows is told", async () => {
  await withScene(async (scene) => {
    const { page } = scene;
    await page.getByLabel("Number").fill("04a1b2c3d4e5f6");
    await page.getByRole("button", { name: "Hold to the reader" }).click();
    await page.getByText("It shows nothing: no module is there.").waitFor();
    await page.getByLabel("What is held to the reader").selectOption("phone");
    await page.getByLabel("Phone’s seed").fill("not a key");
    await page.getByRole("button", { name: "Hold to the reader" }).click();
    await page.getByText("seed: expected 32 bytes in hexadecimal").waitFor();
  });
});

test.run();
