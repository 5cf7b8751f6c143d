/** Whether memory grows with the frames that were taken. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Row } from "../benchmark.ts";

const PROGRAM = fileURLToPath(new URL("memory-process.ts", import.meta.url));
const MILLIONS = 9;
/** The first million is left out: code is still being compiled. */
const WARM = 1;
const COMPARED = 3;

/** A full bus of 4,000 frames a second for 37 minutes: the last three millions against the first three. */
export async function steadyMemory(): Promise<Row[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--expose-gc",
    PROGRAM,
    String(MILLIONS),
  ]);
  const found = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const row = (what: string, values: readonly number[], atMost: number): Row => ({
    what: `${what} after ${MILLIONS} million frames, through decoder, store and schemes`,
    unit: "MB",
    ours: { name: "last", values: values.slice(-COMPARED) },
    peer: { name: "first", values: values.slice(WARM, WARM + COMPARED) },
    goal: { of: "ratio", atMost },
  });
  return [
    row(
      "heap in use",
      found.map(({ heapMb }) => Number(heapMb)),
      1.02,
    ),
    row(
      "resident memory",
      found.map(({ rssMb }) => Number(rssMb)),
      1.05,
    ),
  ];
}
