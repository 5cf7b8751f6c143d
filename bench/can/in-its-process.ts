/**
 * Rows that are about a core's speed run each in a process of its own: what the engine learnt of the code in one says
 * nothing of the next, and it keeps its young objects as the agent has them kept (device/engine.ts). Both sides of a row
 * share the process.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Row } from "../benchmark.ts";

const PROGRAM = fileURLToPath(new URL("row-process.ts", import.meta.url));
const AS_THE_AGENT = "--max-semi-space-size=2";

export async function inItsProcess(...args: readonly string[]): Promise<Row> {
  const { stdout } = await promisify(execFile)(process.execPath, [AS_THE_AGENT, PROGRAM, ...args]);
  return JSON.parse(stdout);
}
