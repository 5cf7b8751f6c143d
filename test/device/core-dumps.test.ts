/** What a crash of the agent leaves behind: a core dump with none of its memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const MAIN = new URL("../../device/main.ts", import.meta.url).pathname;

test("P-30 before the agent makes a key, it has told the kernel to dump nothing of its memory", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-core-"));
  const words = ["buffer", "append", "--data", join(dir, "data"), "--count", "1000000"];
  const agent = spawn(process.execPath, [MAIN, ...words], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(agent, "close");
  try {
    await once(agent.stdout, "data");
    const filter = readFileSync(`/proc/${agent.pid}/coredump_filter`, "utf8");
    assert.is(Number.parseInt(filter, 16), 0, filter);
    assert.is.not(Number.parseInt(readFileSync("/proc/self/coredump_filter", "utf8"), 16), 0);
  } finally {
    agent.kill("SIGKILL");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
