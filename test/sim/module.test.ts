/** `kerbside-sim module` around programs that end by themselves, with no car at the other end; and a pipe without an end. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../house/sources.ts";

/** Two processes of Node's, one in the other, on a machine that others keep busy. */
const ENDS_MS_MAX = 60_000;

const PROGRAMS = [
  {
    why: "ends well, after the car was looked for twice",
    text: "setTimeout(() => {}, 1200);",
    code: 0,
  },
  { why: "fails", text: "process.exitCode = 3;", code: 1 },
  { why: "is ended from outside", text: 'process.kill(process.pid, "SIGKILL");', code: 1 },
] as const;

test("a module runs without a car, ends where its program ends, and says how", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-module-"));
  const ran = PROGRAMS.map(({ why, text, code }, at) => {
    const file = join(dir, `${at}.mjs`);
    writeFileSync(file, text);
    const words = ["module", "--data", join(dir, "nowhere"), "--", process.execPath, file];
    const child = spawn(process.execPath, ["sim/bin/kerbside-sim.mjs", ...words], {
      cwd: root,
      timeout: ENDS_MS_MAX,
      killSignal: "SIGKILL",
      stdio: ["ignore", "ignore", "pipe"],
    });
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    return new Promise<readonly [number | null, string]>((resolve) =>
      child.on("close", (status) => resolve([status, err])),
    ).then(([status, said]) => {
      assert.is(status, code, `${why}: ${said}`);
      assert.is(said, "", why);
    });
  });
  await Promise.all(ran);
  rmSync(dir, { recursive: true });
});

test("a reader of the pipe that goes away is no fault", async () => {
  const words = ["scenario", "sim/scenarios", "--lint", "--json"];
  const child = spawn(process.execPath, ["sim/bin/kerbside-sim.mjs", ...words], {
    cwd: root,
    timeout: ENDS_MS_MAX,
    killSignal: "SIGKILL",
  });
  child.stdout.destroy();
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  await new Promise((resolve) => child.on("close", resolve));
  assert.is(err, "");
});

test.run();
