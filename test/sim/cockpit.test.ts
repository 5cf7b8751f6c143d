/** The cockpit in a real browser, driven by hand. */
import type { Action } from "@kerbside/sim";
import { type Browser, chromium, type Page } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../support/debian.ts";
import { looksAsStored } from "../support/pictures.ts";
import { until } from "../support/wait.ts";
import { CHROMIUM_FLAGS } from "./browser.ts";
import { makeCertificate, makeDirectory, type Rig, startRig } from "./rig.ts";

const MOVING = ["#frames", "#bus-rate", "#figures dd", "#chips", "#locks"];
const pem = await makeCertificate();

type Seat = {
  readonly page: Page;
  readonly rig: Rig;
  readonly url: string;
  readonly complaints: string[];
};

/** One for all tests: starting it costs more than most of them. */
let browser: Browser | undefined;
test.after(async () => {
  await browser?.close();
});

/** A car, a context of its own, and the page opened by its link; what the browser complains of is a failure. */
async function withPage(body: (seat: Seat) => Promise<void>): Promise<void> {
  const directory = makeDirectory();
  const rig = await startRig(directory.path, pem);
  browser ??= await chromium.launch({ executablePath: "/usr/bin/chromium", args: CHROMIUM_FLAGS });
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 900 },
  });
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith("https://localhost:"))
        complaints.push(`asked for ${request.url()}`);
    });
    const url = `https://localhost:${rig.drive.cockpitPort}/`;
    await page.goto(`${url}#key=${rig.key}`);
    await page.waitForSelector("body.live .leaf.driver[aria-label]");
    await body({ page, rig, url, complaints });
  } finally {
    await context.close();
    await rig.drive.close();
    directory.remove();
  }
}

function does(rig: Rig, ...actions: readonly Action[]): void {
  for (const action of actions) {
    const outcome = rig.drive.simulation.act(action);
    assert.ok(outcome.done, outcome.done ? "" : outcome.why);
  }
}

async function unlock({ drive }: Rig): Promise<void> {
  await until(
    "the controller has started",
    () => drive.simulation.world.controller.phase.value === "idle",
  );
  drive.simulation.receiveLock({ type: "actuate", actuationId: 1, action: "unlock" });
  await until("it is unlocked", () => drive.simulation.world.car.bolts.driver < 0.01);
}

const browserTest = needs("chromium");

browserTest("a whole drive by hand, with keys and pointer", async () => {
  await withPage(async ({ page, rig, complaints }) => {
    const car = () => rig.drive.simulation.world.car;
    const press = (name: string): Promise<void> =>
      page.getByRole("button", { name, exact: true }).click();
    assert.not.match(page.url(), /key/);
    await page.locator(".leaf.driver").press("Enter");
    await page.getByText("It is locked.").waitFor();
    complaints.length = 0; // The browser logs the refused request as an error; the page has told it.
    await unlock(rig);
    await page.locator(".leaf.driver[aria-label*='unlocked']").press("Enter");
    await until("the door is open", () => car().open.driver);
    await page.locator(".leaf.driver.open").waitFor();
    await page.locator("#seat button").first().click();
    await until("somebody sits in it", () => car().driver === "inside");
    await page.locator(".leaf.driver").press(" ");
    await page.locator("#seat button").nth(1).click();
    await until("the belt is fastened", () => car().belted);
    await press("START");
    await until("the engine runs", () => car().engine.value === "running");
    await page.keyboard.down("s");
    await until("the brake is down", () => car().brake > 0.3);
    await press("D");
    await until("D", () => car().selector === "D");
    await page.getByRole("button", { name: /Parking brake/ }).click();
    await until("the brake is off", () => !car().parkingBrake);
    await page.keyboard.up("s");
    await page.keyboard.down("ArrowUp");
    await until("it drives", () => car().motion.speedMps > 3);
    await page.keyboard.up("ArrowUp");
    await until("the foot is off", () => car().accelerator === 0);
    await page.locator(".pedal.brake").hover({ position: { x: 40, y: 30 } });
    await page.mouse.down();
    await until("it stands", () => car().motion.speedMps === 0);
    await page.mouse.up();
    await page.locator(".dial[aria-label^='Speed: 0 km/h']").waitFor();
    assert.equal(complaints, []);
  });
});

browserTest("a page that goes away takes its foot off the pedal", async () => {
  await withPage(async ({ page, rig }) => {
    await unlock(rig);
    does(rig, { type: "door", leaf: "driver", open: true }, { type: "driver", where: "inside" });
    await page.locator("#seat button[aria-pressed='true']").first().waitFor();
    await page.keyboard.down("ArrowUp");
    await until("the pedal is down", () => rig.drive.simulation.world.car.accelerator > 0.9);
    await page.close();
    await until("the pedal is up", () => rig.drive.simulation.world.car.accelerator === 0);
  });
});

browserTest("the bus shows each message with what it says, the VIN left out", async () => {
  await withPage(async ({ page, rig, complaints }) => {
    await page.getByRole("row", { name: /DOORS.*DoorDriver closed/ }).waitFor();
    await page.getByRole("row", { name: /18FEF31C GNSS_POSITION/ }).waitFor();
    await until("twelve messages", async () => (await page.locator("#frames tr").count()) >= 12);
    does(rig, { type: "lowBeam", on: true });
    await page.getByRole("row", { name: /COMFORT.*LowBeam on/ }).waitFor();
    await page.getByRole("row", { name: /COMFORT.*WindowDriver 0 %/ }).waitFor();
    assert.not.match(await page.locator("#frames").innerText(), /Vin\d/);
    assert.equal(complaints, []);
  });
});

browserTest("P-03 a wrong key opens nothing; the right one, pasted, does", async () => {
  await withPage(async ({ page, rig, url }) => {
    await page.evaluate(() => sessionStorage.clear());
    await page.goto("about:blank");
    await page.goto(url);
    await page.getByLabel("Key", { exact: true }).fill("not the key");
    await page.getByRole("button", { name: "Open the cockpit" }).click();
    await page.getByText("That is not the key of this cockpit.").waitFor();
    await page.getByLabel("Key", { exact: true }).fill(rig.key);
    await page.getByRole("button", { name: "Open the cockpit" }).click();
    await page.waitForSelector("body.live .leaf.driver[aria-label]");
  });
});

browserTest(
  "nothing overflows on a phone, a tablet or a desk, and every control has a name",
  async () => {
    await withPage(async ({ page }) => {
      await page.locator("#frames tr").first().waitFor();
      for (const width of [360, 390, 768, 1024, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        assert.is(await page.evaluate("document.documentElement.scrollWidth"), width);
        if (width === 360 || width === 1280) await looksAsStored(page, `cockpit-${width}`, MOVING);
      }
      const unnamed = page.locator("button, [role=button], select");
      for (const control of await unnamed.all()) {
        const name =
          (await control.getAttribute("aria-label")) ?? (await control.textContent()) ?? "";
        assert.is.not(name.trim(), "");
      }
    });
  },
);

test.run();
