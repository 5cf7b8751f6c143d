/**
 * A rule is drawn: `npm run flows` beside a car that drives, its editor in a real browser with the car's nodes, the
 * rule changed by hand and kept, then signed, sent and heard of from the car.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { caged } from "../support/cage.ts";
import { runCloud } from "../support/cloud-process.ts";
import { missingPackages, needs } from "../support/debian.ts";
import { World } from "../support/world.ts";
import { FLAGS } from "./visitor.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** An editor of megabytes, on a machine with other things to do. */
const VISIBLE_MS_MAX = 90_000;
const PALETTE = ["kerbside-signal-in", "kerbside-event-out", "kerbside-geofence", "kerbside-trip"];

type Editor = {
  readonly url: string;
  readonly password: string;
  readonly stop: () => Promise<void>;
};

async function startEditor(data: string): Promise<Editor> {
  const words = ["scripts/flows.ts", "--data", data, "--port", "0"];
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  const found = new Promise<Editor>((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += String(chunk);
      const [, url, password] =
        /(https:\/\/localhost:\d+\/)\s+sign in as rules, with (\S+)/.exec(said) ?? [];
      if (url !== undefined && password !== undefined) resolve({ url, password, stop });
    });
    child.once("exit", () => reject(new Error(`the editor ended: ${said}`)));
  });
  return await found;
}

/** Signs in, sees the car's nodes, lets the rule speak from 5 km/h on, and deploys it. */
async function draw({ url, password }: Editor): Promise<void> {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS] });
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    page.setDefaultTimeout(VISIBLE_MS_MAX);
    const hosts = new Set<string>();
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    await page.goto(url);
    await page.locator("#node-dialog-login-username").fill("rules");
    await page.locator("#node-dialog-login-password").fill(password);
    await page.keyboard.press("Enter");
    for (const node of PALETTE)
      await page.locator(`.red-ui-palette-node[data-palette-type="${node}"]`).waitFor();
    const node = page.locator(".red-ui-flow-node-group", { hasText: "above 50" });
    await node.locator("rect.red-ui-flow-node").first().dblclick();
    const limit = page
      .locator("#node-input-rule-container .red-ui-typedInput-input:visible")
      .first();
    await limit.fill("5");
    await page.locator("#node-dialog-ok").click();
    await page.locator("#red-ui-header-button-deploy").click();
    await page.locator("#red-ui-header-button-deploy.disabled").waitFor();
    assert.equal([...hosts], [new URL(url).host], "nothing is asked of anybody else");
  } finally {
    await browser.close();
  }
}

const it = missingPackages("chromium").length === 0 ? caged : needs("chromium");

it("a rule drawn in the editor is signed, sent, and heard of from the car", async () => {
  await using world = await World.whole();
  const { data, cloud } = world.paths;
  const editor = await startEditor(data);
  try {
    await draw(editor);
  } finally {
    await editor.stop();
  }
  const file = join(data, "flows", "first-rule.json");
  const rule = JSON.parse(readFileSync(file, "utf8"));
  assert.is(rule.version, 2, "what was deployed is the next version");
  const { code, err } = await runCloud([
    ...["flow", "publish", "--file", file, "--tenant", "demo", "--data", cloud],
    ...["--url", `https://localhost:${world.ports.https}`],
  ]);
  assert.is(code, 0, err);
  const booking = await world.booking();
  assert.is((await world.command("unlock", booking))["state"], "executed");
  await world.until("the rule's event", async () => {
    await world.cockpit("/api/script", { driveSeconds: 4 });
    return (await world.rows()).some(
      (row) => row["kind"] === "flow.reported" && JSON.stringify(row).includes("too.fast"),
    );
  });
});

test.run();
