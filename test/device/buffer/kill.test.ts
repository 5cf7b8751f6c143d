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
import { cryptoReady, LANES, randomBytes, verifyKey } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomOf } from "../../fuzz/random.ts";
import { ADDRESS, carCloud } from "../../support/car-cloud.ts";
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

test("P-30 after a crash the rows that nobody here can read are opened by the tenant", async () => {
  await cryptoReady();
  const cloud = carCloud(randomBytes(32));
  const dir = mkdtempSync(join(tmpdir(), "kerbside-kill-"));
  const options = {
    dir,
    address: ADDRESS,
    signingKey: cloud.signingKey,
    ingestKey: cloud.ingestKey,
    agentVersion: "test",
    clock: realClock,
    random: realRandom,
    log: silentLog,
  };
  const script = new URL("crasher.ts", import.meta.url).pathname;
  const setup = {
    dir,
    seed: Buffer.from(cloud.seed).toString("hex"),
    ingest: Buffer.from(cloud.ingestKey.publicKey).toString("hex"),
  };
  try {
    const child = spawn(process.execPath, [script, JSON.stringify(setup)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [signal] = await new Promise<[string | null]>((done) =>
      child.on("close", (_, s) => done([s])),
    );
    assert.is(signal, "SIGKILL");
    const open = inspectBuffer(dir, verifyKey(cloud.signingKey.publicKey));
    assert.equal(
      open.map(({ lane, count, segments }) => [lane, count, segments]),
      [
        ["state", 300, 1],
        ["track", 7, 0],
      ],
    );
    const buffer = await openBuffer(options);
    assert.not(buffer.previousEndedCleanly);
    drain(buffer, cloud);
    cloud.checkChains();
    assert.is(cloud.events().size, 307);
    await buffer.close();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
