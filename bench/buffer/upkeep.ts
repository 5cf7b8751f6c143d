/**
 * How long an append waits while the buffer looks after itself: a backlog that has become too old is given up, bit by
 * bit, and the file, mostly empty then, is made small. Time is simulated, waits are real. Every second append has
 * nothing beside it, so that what the machine and its disk do falls on both: what is held to the bound is what upkeep adds.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Buffer, openBuffer } from "@kerbside/buffer";
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
const ADDED_MS_MAX = 50;
const STEP_MS = 1000;
const APPENDS = 360;
/** What the file is to become; what it was is four times as much at least. */
const SMALL_BYTES = 2e6;
const NOTE: NewEvent = { kind: "diagnostic.note", data: { note: "waits" } };

const noise = (): NewEvent => ({
  kind: "diagnostic.note",
  data: { note: globalThis.Buffer.from(randomBytes((EVENT_CHARS * 3) / 4)).toString("base64") },
});

/** In milliseconds: by the clock, and of the thread's processor time. */
type Slowest = { readonly waitMs: number; readonly processorMs: number };
type Waits = { readonly busy: Slowest; readonly idle: Slowest };

const NONE: Slowest = { waitMs: 0, processorMs: 0 };

async function append(buffer: Buffer, before: Slowest): Promise<Slowest> {
  const used = process.threadCpuUsage();
  const asked = performance.now();
  await buffer.append(NOTE, "critical");
  const waitMs = performance.now() - asked;
  const { user, system } = process.threadCpuUsage(used);
  return {
    waitMs: Math.max(before.waitMs, waitMs),
    processorMs: Math.max(before.processorMs, (user + system) / 1000),
  };
}

/** The slowest appends of one round with work to do beside them, and of as many in between without. */
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
    aheadMs = YEARS_MS;
    let [busy, idle] = [NONE, NONE];
    for (let i = 0; i < APPENDS; i += 1) {
      clock.advance((HOURS * 3_600_000) / APPENDS);
      busy = await append(buffer, busy);
      // Upkeep has had its turn, and is not due again at the same moment.
      idle = await append(buffer, idle);
    }
    const bytes = statSync(join(dir, "agent.sqlite")).size;
    if (bytes > SMALL_BYTES) throw new Error(`the file was not made small: ${bytes} bytes`);
    return { busy, idle };
  } finally {
    await buffer.close();
    rmSync(dir, { recursive: true });
  }
}

export async function* upkeepRows(): AsyncGenerator<Row, void, undefined> {
  const found: Waits[] = [];
  for (let i = 0; i < ROUNDS; i += 1) found.push(await round());
  const work = `while ${(BACKLOG_EVENTS * EVENT_CHARS) / 1e6} MB become too old and the file small`;
  const sides = (of: keyof Slowest) => ({
    ours: { name: "buffer, encrypted", values: found.map(({ busy }) => busy[of]) },
    peer: { name: "in between, with nothing to do", values: found.map(({ idle }) => idle[of]) },
  });
  const added = found.map(({ busy, idle }) => Math.max(0, busy.waitMs - idle.waitMs));
  const goal = { of: "ours", atMost: ADDED_MS_MAX } as const;
  yield {
    what: `what upkeep adds to the slowest append on critical, ${work}`,
    unit: "ms",
    ours: { name: "buffer, encrypted", values: added },
    peer: null,
    goal,
  };
  yield { what: `slowest append on critical, ${work}`, unit: "ms", ...sides("waitMs"), goal: null };
  yield {
    what: "the same by the thread's processor time",
    unit: "ms",
    ...sides("processorMs"),
    goal,
  };
}
