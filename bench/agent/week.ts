/**
 * A week of a car in one process, under a simulated clock: buffer and uplink with a cloud that acknowledges, two hours of
 * driving a day at 1 Hz, an event every ten minutes besides, and an outage each night. What grows would show in the
 * heap that is left after each day.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Row } from "../benchmark.ts";

/** Day by day, in bytes. */
type Week = { readonly heap: readonly number[] };

export async function weekRow(): Promise<Row> {
  const child = fork(fileURLToPath(new URL("week-of-a-car.ts", import.meta.url)), [], {
    execArgv: ["--expose-gc"],
  });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the week ended early (${code})`);
  });
  const [message] = await Promise.race([once(child, "message"), ended]);
  ended.catch(() => undefined);
  const { heap }: Week = message;
  const megabytes = heap.map((bytes) => bytes / 1e6);
  return {
    what: "heap left after the days 5 to 7 of a simulated week, against the days 2 to 4",
    unit: "MB",
    ours: { name: "days 5 to 7", values: megabytes.slice(4, 7) },
    peer: { name: "days 2 to 4", values: megabytes.slice(1, 4) },
    goal: { of: "ratio", atMost: 1.03 },
  };
}
