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

const ROUNDS = 5;
const BACKLOG_EVENTS = 4000;
const EVENT_CHARS = 4000;
const YEARS_MS = 2 * 366 * 86_400_000;
const HOURS = 4;
const STEP_MS = 1000;
/** What the file is to become; what it was is four times as much at least. */
const SMALL_BYTES = 2e6;
const NOTE: NewEvent = { kind: "diagnostic.note", data: { note: "waits" } };

const noise = (): NewEvent => ({
  kind: "diagnostic.note",
  data: { note: Buffer.from(randomBytes((EVENT_CHARS * 3) / 4)).toString("base64") },
});

/** The slowest append of one round, in milliseconds. */
async function round(): Promise<number> {
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
    aheadMs = YEARS_MS;
    let slowestMs = 0;
    for (let ms = 0; ms < HOURS * 3_600_000; ms += 20 * STEP_MS) {
      clock.advance(20 * STEP_MS);
      const asked = performance.now();
      await buffer.append(NOTE, "critical");
      slowestMs = Math.max(slowestMs, performance.now() - asked);
    }
    const bytes = statSync(join(dir, "agent.sqlite")).size;
    if (bytes > SMALL_BYTES) throw new Error(`the file was not made small: ${bytes} bytes`);
    return slowestMs;
  } finally {
    await buffer.close();
    rmSync(dir, { recursive: true });
  }
}

export async function upkeepRow(): Promise<Row> {
  const values: number[] = [];
  for (let i = 0; i < ROUNDS; i += 1) values.push(await round());
  return {
    what: `slowest append on critical, while ${(BACKLOG_EVENTS * EVENT_CHARS) / 1e6} MB become too old and the file small`,
    unit: "ms",
    ours: { name: "buffer, encrypted", values },
    peer: null,
    goal: { of: "ours", atMost: 50 },
  };
}
