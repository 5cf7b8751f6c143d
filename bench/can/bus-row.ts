/** What a full bus costs the agent: from the simulator's socket to the signal store. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createSignalStore, createSocketBus, readShippedProfile } from "@kerbside/can";
import { systemClock, systemRandom } from "@kerbside/protocol";
import type { Row } from "../benchmark.ts";

/** A 500 kbit/s bus carries at most about 4,500 frames of 8 bytes a second; 4,000 is a full one. */
const FRAMES_PER_SECOND = 4000;
const WARM_UP_MS = 2000;
const WINDOW_MS = 1500;
const WINDOWS = 5;
const SENDER = fileURLToPath(new URL("bus-sender.ts", import.meta.url));

export async function fullBus(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-bench-"));
  const path = join(folder, "bus");
  const sender = fork(SENDER, [path, String(FRAMES_PER_SECOND)]);
  try {
    await once(sender, "message");
    return await measure(path);
  } finally {
    sender.disconnect();
    await once(sender, "exit");
    rmSync(folder, { recursive: true });
  }
}

async function measure(path: string): Promise<Row> {
  const clock = systemClock(() => performance.now());
  const store = createSignalStore({ profile: readShippedProfile("kerbside-sim"), clock });
  const bus = createSocketBus({ path, clock, random: systemRandom });
  let frames = 0;
  bus.start({
    frames: (some) => {
      frames += some.length;
      store.ingest(some);
    },
    event: () => {},
  });
  await wait(WARM_UP_MS);
  const shares = [];
  for (let i = 0; i < WINDOWS; i++) {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const before = frames;
    await wait(WINDOW_MS);
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const rate = (frames - before) / seconds;
    if (rate < FRAMES_PER_SECOND * 0.9) throw new Error(`only ${Math.round(rate)} frames/s came`);
    shares.push(((user + system) / 1e6 / seconds) * 100);
  }
  await bus.stop();
  store.close();
  return {
    what: `${FRAMES_PER_SECOND} frames/s from the simulator's socket into the signal store`,
    unit: "% of a core",
    ours: { name: "kerbside", values: shares },
    peer: null,
    goal: { of: "ours", atMost: 3 },
  };
}
