/**
 * How long an append waits while the buffer looks after itself: a backlog that has become too old is given up, bit by
 * bit, and the file, mostly empty then, is made small. Time is simulated, waits are real.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBuffer } from "@kerbside/buffer";
import {
  type NewEvent,
  randomBytes,
  sealKeyPair,
  signingKey,
  systemRandom,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import type { Row } from "../benchmark.ts";
import { steppedClock } from "./flash.ts";

const ROUNDS = 3;
const BACKLOG_EVENTS = 4000;
const EVENT_CHARS = 4000;
const YEARS_MS = 2 * 366 * 86_400_000;
const HOURS = 2;
const STEP_MS = 1000;
const APPENDS = 360;
/** What the file is to become; what it was is four times as much at least. */
const SMALL_BYTES = 2e6;
const NOTE: NewEvent = { kind: "diagnostic.note", data: { note: "waits" } };

const noise = (): NewEvent => ({
  kind: "diagnostic.note",
  data: { note: Buffer.from(randomBytes((EVENT_CHARS * 3) / 4)).toString("base64") },
});

type Waits = { readonly busy: number; readonly idle: number };

/** The slowest append of one round while there is work to do, and of as many before, in milliseconds. */
async function round(): Promise<Waits> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-bench-"));
  const clock = steppedClock();
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  let aheadMs = 0;
  const buffer = await openBuffer({
    ...{ dir, clock, random: systemRandom, log: silent, agentVersion: "bench" },
    address: { tenant: tenantId("bench"), vehicle: vehicleId("bench") },
    signingKey: signingKey(randomBytes(32)),
    ingestKey: { version: 1, publicKey: sealKeyPair().publicKey },
    time: () => ({
      bootMs: clock.bootMs(),
      wallOffsetMs: clock.wallMs() - clock.bootMs() + aheadMs,
      doubtMs: 1000,
    }),
  });
  try {
    for (let sent = 0; sent < BACKLOG_EVENTS; sent += 100) {
      const all = Array.from({ length: 100 }, () => buffer.append(noise(), "state"));
      clock.advance(STEP_MS);
      await Promise.all(all);
    }
    clock.advance(60_000);
    await buffer.append(NOTE, "critical");
    const slowestMs = async (stepMs: number): Promise<number> => {
      let slowest = 0;
      for (let i = 0; i < APPENDS; i += 1) {
        clock.advance(stepMs);
        const asked = performance.now();
        await buffer.append(NOTE, "critical");
        slowest = Math.max(slowest, performance.now() - asked);
      }
      return slowest;
    };
    const idle = await slowestMs(1);
    aheadMs = YEARS_MS;
    const busy = await slowestMs((HOURS * 3_600_000) / APPENDS);
    const bytes = statSync(join(dir, "agent.sqlite")).size;
    if (bytes > SMALL_BYTES) throw new Error(`the file was not made small: ${bytes} bytes`);
    return { busy, idle };
  } finally {
    await buffer.close();
    rmSync(dir, { recursive: true });
  }
}

export async function upkeepRow(): Promise<Row> {
  const found: Waits[] = [];
  for (let i = 0; i < ROUNDS; i += 1) found.push(await round());
  return {
    what: `slowest append on critical, while ${(BACKLOG_EVENTS * EVENT_CHARS) / 1e6} MB become too old and the file small`,
    unit: "ms",
    ours: { name: "buffer, encrypted", values: found.map(({ busy }) => busy) },
    peer: { name: "the same with nothing to do", values: found.map(({ idle }) => idle) },
    goal: { of: "ours", atMost: 50 },
  };
}
