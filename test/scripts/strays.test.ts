/** What a test leaves behind is found by its mark, and nothing else is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { killMarked, MARK } from "../../scripts/strays.ts";

const LONG = "setInterval(() => undefined, 1000); process.stdout.write('up')";

function sleeper(mark: string, script = LONG) {
  const env = { [MARK]: mark };
  return spawn(process.execPath, ["-e", script], {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

const linux = existsSync("/proc/self/environ") ? test : test.skip;

linux(
  "a process that has left its group, and a child of it, are killed; one of another test is not",
  async () => {
    const mine = `mine-${process.pid}`;
    const child = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(LONG)}], { detached: true, stdio: "inherit" })`;
    const [one, parent, other] = [
      sleeper(mine),
      sleeper(mine, child),
      sleeper(`other-${process.pid}`),
    ];
    const up = [one, parent, other].map(({ stdout }) => once(stdout, "data"));
    await Promise.all(up);
    const ends = [one, parent].map((each) => once(each, "close"));
    assert.is(killMarked(mine), 3);
    await Promise.all(ends);
    assert.is(other.exitCode, null);
    assert.is(other.signalCode, null);
    other.kill("SIGKILL");
    await once(other, "close");
    assert.is(killMarked(mine), 0);
  },
);

test.run();
