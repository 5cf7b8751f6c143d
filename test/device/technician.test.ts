/** What a technician asks at the car, by the command line: `lock status` and `access list`, for people and as JSON. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GrantStore, openAccessRecord } from "@kerbside/access";
import { openTwoCopyFile } from "@kerbside/immobiliser";
import {
  cardIdOf,
  cryptoReady,
  randomBytes,
  sealGrantList,
  signGrantList,
  signingKey,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { startDrive, TRAVEL } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../house/sources.ts";
import { realClock, realRandom, silentLog } from "../support/runtime.ts";

await cryptoReady();
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const UID = Uint8Array.of(4, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6);
const CARD_KEY = randomBytes(16);

type Ran = { readonly code: number | null; readonly out: string; readonly err: string };
function agent(...words: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, ["device/bin/kerbside-agent.mjs", ...words], { cwd: root });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.err += chunk.toString();
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, ...said })));
}

/** A folder with an agent's configuration, whose lock is at `lock`. */
function folder(lock: object): { readonly dir: string; readonly config: string } {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-technician-"));
  const config = join(dir, "config.json");
  const enrolment = { url: "https://localhost:1", caFile: "ca.pem", tokenFile: "token" };
  const bus = { driver: "socket", path: "can.sock" };
  const all = { ...ADDRESS, dataDir: "state", profile: "kerbside-sim", enrolment, bus, lock };
  writeFileSync(config, JSON.stringify(all));
  return { dir, config };
}

test("P-20 access list: which grants the car holds, and no number, key or PIN of any", async () => {
  const { dir, config } = folder({ driver: "can" });
  const empty = await agent("access", "list", "--config", config);
  assert.is(empty.code, 0, empty.err);
  assert.match(empty.out, /grant list +none/);

  const at = (name: string): string => join(dir, "state", "access", name);
  mkdirSync(join(dir, "state", "access"), { recursive: true });
  const [grantKey, seed, cardIdKey] = [
    signingKey(randomBytes(32)),
    randomBytes(32),
    randomBytes(32),
  ];
  const file = await openTwoCopyFile(at("grants"), 256 * 1024);
  const store = new GrantStore({
    ...{ address: ADDRESS, seed, file, log: silentLog },
    grantKey: () => verifyKey(grantKey.publicKey),
  });
  const times = { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2026, 0, 2) };
  const card = {
    ...{ id: randomBytes(16), booking: "b-card", actions: ["unlock" as const], ...times },
    card: {
      ...{ cardId: cardIdOf(cardIdKey, UID), proof: "keyed" as const, uidRule: "never" as const },
      key: CARD_KEY,
    },
  };
  const { publicKey } = signingKey(randomBytes(32));
  const phone = {
    ...{ id: randomBytes(16), booking: "b-phone", actions: ["lock" as const], ...times },
    phone: { publicKey },
  };
  const grants = [card, phone];
  const plain = { ...ADDRESS, version: 7, issuedAtMs: times.fromMs, cardIdKey, grants };
  const sealed = sealGrantList(signingKey(seed).publicKey, signGrantList(grantKey, plain));
  assert.is((await store.apply(sealed)).kind, "applied");
  await file.close();
  const recordFile = await openTwoCopyFile(at("record"));
  await openAccessRecord(recordFile).hold({ grant: card, cardIdKey });
  await recordFile.close();

  const words = await agent("access", "list", "--config", config);
  assert.is(words.code, 0, words.err);
  assert.match(words.out, /version 7 of 2026-01-01T00:00:00.000Z, 2 grants/);
  assert.match(words.out, /b-card .* keyed, uid never {2}unlock {2}\(in the open rental\)/);
  assert.match(words.out, /b-phone .* signature {2}lock\n/);
  const json = await agent("access", "list", "--config", config, "--json");
  const listing: unknown = JSON.parse(json.out);
  assert.match(JSON.stringify(listing), '"version":7');
  const hidden = [UID, CARD_KEY, cardIdKey, publicKey].map((secret) => toHex(secret));
  for (const secret of hidden) assert.not.match(words.out + json.out, secret);

  writeFileSync(`${at("grants")}.a`, "spoilt");
  writeFileSync(`${at("grants")}.b`, "spoilt");
  const damaged = await agent("access", "list", "--config", config);
  assert.is(damaged.code, 0);
  assert.match(damaged.out, /grant list +(damaged|none)/);
  rmSync(dir, { recursive: true });
});

test("lock status: the controller's own report, and words for what is in the way", async () => {
  const sim = mkdtempSync(join(tmpdir(), "kerbside-technician-sim-"));
  const drive = await startDrive({
    ...{ dataDir: sim, seed: 5, travel: TRAVEL, clock: realClock, random: realRandom },
  });
  const pairingKeyFile = join(sim, "pairing.key");
  const { dir, config } = folder({ path: drive.lockPath, pairingKeyFile });
  const words = await agent("lock", "status", "--config", config);
  assert.is(words.code, 0, words.err);
  assert.match(words.out, /boltDriver +locked/);
  assert.match(words.out, /selfTest +passed/);
  const json = await agent("lock", "status", "--config", config, "--json");
  const report: unknown = JSON.parse(json.out);
  assert.match(JSON.stringify(report), '"immobiliser":"free"');
  assert.is(drive.simulation.world.controller.memory.actuations.lastId, 0, "nothing was moved");

  const wrong = join(dir, "wrong.key");
  writeFileSync(wrong, "00".repeat(32));
  const stranger = folder({ path: drive.lockPath, pairingKeyFile: wrong });
  const refused = await agent("lock", "status", "--config", stranger.config);
  assert.is(refused.code, 1);
  assert.match(refused.err, "no lock controller with this pairing key answers");
  assert.not.match(refused.err, "0000");
  const byCan = folder({ driver: "can" });
  const can = await agent("lock", "status", "--config", byCan.config);
  assert.is(can.code, 1);
  assert.match(can.err, "this car is locked by CAN");
  await drive.close();
  for (const used of [sim, dir, stranger.dir, byCan.dir]) rmSync(used, { recursive: true });
});

test("wrong words are told as such", async () => {
  const { dir, config } = folder({ driver: "can" });
  const wrong = [
    ["lock", "open", "--config", config],
    ["access", "list"],
  ];
  const ran = await Promise.all(wrong.map((words) => agent(...words)));
  assert.equal(
    ran.map(({ code }) => code),
    [2, 2],
  );
  const missing = await agent("lock", "status", "--config", join(dir, "none.json"));
  assert.is(missing.code, 1);
  assert.match(missing.err, "none.json");
  rmSync(dir, { recursive: true });
});

test.run();
