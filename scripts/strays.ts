/**
 * Processes that outlive the test that started them. Some are in a group of their own, as the parts of the demo are, so
 * that killing the test's group does not reach them; but they have inherited its environment, and there it left a mark.
 */
import { readdirSync, readFileSync } from "node:fs";

export const MARK = "KERBSIDE_TEST_MARK";

/** Kills every process with this mark in its environment, and says how many. Linux only; elsewhere there is no /proc. */
export function killMarked(mark: string): number {
  let killed = 0;
  for (const pid of processes()) {
    if (pid === process.pid || !isMarked(pid, mark)) continue;
    try {
      process.kill(pid, "SIGKILL");
      killed += 1;
    } catch {
      // It has ended meanwhile.
    }
  }
  return killed;
}

function processes(): readonly number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function isMarked(pid: number, mark: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
    return environment.split("\0").includes(`${MARK}=${mark}`);
  } catch {
    // It is somebody else's, or gone.
    return false;
  }
}
