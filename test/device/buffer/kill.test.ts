/**
 * Real deaths: a process that appends is killed at a random moment, again and again in one directory. Whatever it
 * printed must be held, once, in unbroken chains. The seed in the name gives the moments (not the scheduler).
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inspectBuffer, openBuffer, runBuffer } from "@kerbside/buffer";
import { cryptoReady, LANES, randomBytes, toHex, verifyKey } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomOf } from "../../fuzz/random.ts";
import { ADDRESS, type CarCloud, carCloud } from "../../support/car-cloud.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { drain } from "./harness.ts";

const ROUNDS = 20;
/** A process prints its first events after about 150 ms on an idle machine. */
const LIFE_MS_MAX = 150;

const seed = Date.now() % 1e9;

type Line = { readonly lane: string; readonly log: string; readonly seq: number };

/** Lets a process append until it is killed, `lifeMs` after its first line. Gives the lines it printed whole. */
async function killed(dir: string, lane: string, lifeMs: number): Promise<Line[]> {
  const script = new URL("appender.ts", import.meta.url).pathname;
  const args = [
    script,
    "append",
    "--data",
    dir,
    "--lane",
    lane,
    "--count",
    "1000000",
    "--note",
    "n",
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  const lines: Line[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    if (!line.endsWith("}")) return;
    if (lines.length === 0) setTimeout(() => child.kill("SIGKILL"), lifeMs);
    lines.push(JSON.parse(line));
  });
  await new Promise((done) => child.on("close", done));
  return lines;
}

test(`killed ${ROUNDS} times, nothing printed is lost or doubled (seed ${seed})`, async () => {
  await cryptoReady();
  const random = randomOf(seed);
  const dir = mkdtempSync(join(tmpdir(), "kerbside-kill-"));
  try {
    const printed: Line[] = [];
    await runBuffer(["append", "--data", dir], { out: () => undefined, err: () => undefined });
    for (let round = 0; round < ROUNDS; round += 1) {
      const lane = random.pick(LANES);
      printed.push(...(await killed(dir, lane, random.int(LIFE_MS_MAX))));
    }
    assert.ok(printed.length >= ROUNDS, "something was printed in every round");
    const unique = new Set(printed.map(({ lane, log, seq }) => `${log}/${lane}/${seq}`));
    assert.is(unique.size, printed.length, "no number is given twice");
    const held = new Map<string, { first: number; last: number }>();
    const verify: string[] = [];
    const code = await runBuffer(["verify", "--data", dir, "--json"], {
      out: (line) => verify.push(line),
      err: (line) => assert.unreachable(line),
    });
    assert.is(code, 0);
    for (const line of verify) {
      const { lane, log, first, last, count, gaps } = JSON.parse(line);
      assert.equal(gaps, []);
      assert.is(count, last - first + 1);
      held.set(`${log}/${lane}`, { first, last });
    }
    for (const { lane, log, seq } of printed) {
      const range = held.get(`${log}/${lane}`);
      assert.ok(
        range !== undefined && seq >= range.first && seq <= range.last,
        `${log}/${lane}/${seq}`,
      );
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

const ENDS = [
  {
    name: "P-30 after a crash the rows that nobody here can read are opened by the tenant",
    exits: false,
    held: [
      ["state", 300, 1],
      ["track", 7, 0],
    ],
    events: 307,
  },
  {
    name: "a process that exits without closing the buffer ends its log in order all the same",
    exits: true,
    held: [
      ["state", 300, 2],
      ["track", 8, 1],
    ],
    events: 308,
  },
] as const;
for (const { name, exits, held, events } of ENDS) {
  test(name, async () => {
    await cryptoReady();
    const cloud = carCloud(randomBytes(32));
    const dir = mkdtempSync(join(tmpdir(), "kerbside-kill-"));
    try {
      assert.is(await crash(dir, cloud, exits), exits ? null : "SIGKILL");
      const open = inspectBuffer(dir, verifyKey(cloud.signingKey.publicKey));
      assert.equal(
        open.map(({ lane, count, segments }) => [lane, count, segments]),
        held,
      );
      const buffer = await openBuffer({
        dir,
        address: ADDRESS,
        signingKey: cloud.signingKey,
        ingestKey: cloud.ingestKey,
        agentVersion: "test",
        clock: realClock,
        random: realRandom,
        log: silentLog,
      });
      assert.is(buffer.previousEndedCleanly, exits);
      drain(buffer, cloud);
      cloud.checkChains();
      assert.is(cloud.events().size, events);
      await buffer.close();
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

/** Runs the crasher; gives the signal that ended it. */
function crash(dir: string, cloud: CarCloud, exits: boolean): Promise<string | null> {
  const script = new URL("crasher.ts", import.meta.url).pathname;
  const ingest = toHex(cloud.ingestKey.publicKey);
  const setup = JSON.stringify({ dir, seed: toHex(cloud.seed), ingest, exits });
  const child = spawn(process.execPath, [script, setup], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((done) => child.on("close", (_, signal) => done(signal)));
}

test.run();
