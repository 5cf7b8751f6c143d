/** Grant lists on the car: whole or not at all, never back, and confirmed only from the disk. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GrantStore, type KeptFile } from "@kerbside/access";
import { openTwoCopyFile, readTwoCopyFile } from "@kerbside/immobiliser";
import {
  cryptoReady,
  type GrantList,
  type Log,
  randomBytes,
  sealGrantList,
  signGrantList,
  signingKey,
  tenantId,
  type VerifyKey,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { silentLog } from "../../support/runtime.ts";

await cryptoReady();
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const SEED = randomBytes(32);
const CAR = signingKey(SEED);
const KEY = signingKey(randomBytes(32));

function sealed(version: number, change: Partial<GrantList> = {}, key = KEY): Uint8Array {
  const cardIdKey = new Uint8Array(32);
  const plain = { ...ADDRESS, version, issuedAtMs: 1, cardIdKey, grants: [], ...change };
  return sealGrantList(CAR.publicKey, signGrantList(key, plain));
}

function store(file: KeptFile, log: Log = silentLog): GrantStore {
  const grantKey = () => verifyKey(KEY.publicKey);
  return new GrantStore({ address: ADDRESS, seed: SEED, grantKey, file, log });
}

function memory(content?: Uint8Array, damaged = false): KeptFile {
  return { content, damaged, write: async () => undefined };
}

/** What is said to the log, a line each. */
function written(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (event: string, fields: object = {}): void =>
    void lines.push(`${event} ${JSON.stringify(fields)}`);
  return { lines, log: { info: write, warn: write, error: write } };
}

async function inFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-grants-"));
  try {
    await work(join(folder, "grants"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a list is taken once it is newer, and outlives a restart", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    const grants = store(file);
    assert.is(grants.confirmedVersion(), 0);
    assert.equal(await grants.apply(sealed(3)), { kind: "applied", version: 3, durable: true });
    const five = sealed(5);
    assert.equal(await grants.apply(five), { kind: "applied", version: 5, durable: true });
    assert.equal(await grants.apply(five), { kind: "unchanged", version: 5 });
    assert.equal(await grants.apply(sealed(4)), { kind: "refused", reason: "old" });
    assert.equal(await grants.apply(sealed(5, { issuedAtMs: 2 })), {
      kind: "refused",
      reason: "conflict",
    });
    await file.close();
    const again = await openTwoCopyFile(path);
    assert.is(store(again).confirmedVersion(), 5);
    assert.equal(await store(again).apply(sealed(4)), { kind: "refused", reason: "old" });
    await again.close();
  }));

test("what is not the tenant's for this car changes nothing", () =>
  inFolder(async (path) => {
    const file = await openTwoCopyFile(path);
    const grants = store(file);
    const other = signingKey(randomBytes(32));
    const list = {
      ...ADDRESS,
      version: 9,
      issuedAtMs: 1,
      cardIdKey: new Uint8Array(32),
      grants: [],
    };
    const rows = [
      { why: "another key signed it", bytes: sealed(9, {}, other), reason: "unauthenticated" },
      {
        why: "another car's",
        bytes: sealed(9, { vehicle: vehicleId("car-2") }),
        reason: "other_car",
      },
      { why: "another tenant's", bytes: sealed(9, { tenant: tenantId("x") }), reason: "other_car" },
      {
        why: "sealed to another car",
        bytes: sealGrantList(other.publicKey, signGrantList(KEY, list)),
        reason: "unauthenticated",
      },
      { why: "noise", bytes: randomBytes(200), reason: "unauthenticated" },
    ];
    for (const { why, bytes, reason } of rows)
      assert.equal(await grants.apply(bytes), { kind: "refused", reason }, why);
    assert.is(grants.version(), 0);
    await file.close();
  }));

test("where the disk fails what was taken away is gone, and nothing is confirmed", async () => {
  let works = false;
  const write = async (): Promise<void> => {
    if (!works) throw new Error("EIO");
  };
  const grants = store({ content: undefined, damaged: false, write });
  const list = sealed(2);
  assert.equal(await grants.apply(list), { kind: "applied", version: 2, durable: false });
  assert.is(grants.version(), 2);
  assert.is(grants.confirmedVersion(), 0);
  works = true;
  assert.equal(await grants.apply(list), { kind: "applied", version: 2, durable: true });
  assert.is(grants.confirmedVersion(), 2);
});

test("damage is told: of the file, of what is in it; what is read is in force as it stands", async () => {
  assert.is(store(memory()).damaged, false, "there was nothing");
  assert.is(store(memory(undefined, true)).damaged, true);
  assert.is(store(memory(randomBytes(90))).damaged, true);
  const list = { ...ADDRESS, version: 4, issuedAtMs: 1, cardIdKey: new Uint8Array(32), grants: [] };
  const envelope = signGrantList(KEY, list);
  const grants = store(memory(envelope));
  assert.is(grants.damaged, false);
  assert.equal(grants.list(), list);
  assert.equal([grants.version(), grants.confirmedVersion()], [4, 4]);
  const same = sealGrantList(CAR.publicKey, envelope);
  assert.equal(await grants.apply(same), { kind: "unchanged", version: 4 });
});

test("after damage a list of any version is taken, and none of version 0 is taken for none", async () => {
  const grants = store(memory(randomBytes(90)));
  assert.equal(await grants.apply(sealed(0)), { kind: "applied", version: 0, durable: true });
  assert.equal(await grants.apply(sealed(0, { issuedAtMs: 2 })), {
    kind: "refused",
    reason: "conflict",
  });
});

test("one list after the other: the second is held against the first, however slow the disk", async () => {
  const order: string[] = [];
  const slow: KeptFile = {
    ...memory(),
    write: async () => {
      order.push("begun");
      await new Promise((resolve) => setImmediate(resolve));
      order.push("done");
    },
  };
  const grants = store(slow);
  const both = await Promise.all([grants.apply(sealed(2)), grants.apply(sealed(3))]);
  assert.equal(order, ["begun", "done", "begun", "done"]);
  assert.equal(
    both.map(({ kind }) => kind),
    ["applied", "applied"],
  );
});

test("without a key of the tenant no list is taken; what does not open is told from what is not signed", async () => {
  const keyless = new GrantStore({
    ...{ address: ADDRESS, seed: SEED, file: memory(), log: silentLog },
    grantKey: () => undefined,
  });
  assert.equal(await keyless.apply(sealed(1)), { kind: "refused", reason: "no_key" });
  const noise = sealGrantList(CAR.publicKey, randomBytes(40));
  assert.equal(await store(memory()).apply(noise), { kind: "refused", reason: "malformed" });
});

test("refusals and a disk that fails are in the log", async () => {
  const { log, lines } = written();
  await store(memory(), log).apply(sealed(1, { vehicle: vehicleId("car-2") }));
  assert.equal(lines, ['grants.refused {"reason":"other_car"}']);
  const failing = { ...memory(), write: () => Promise.reject(new Error("EIO")) };
  await store(failing, log).apply(sealed(1));
  assert.is(lines.at(-1), "grants.not_kept {}");
});

test("a bug of ours is taken neither for damage nor for a bad list", async () => {
  const bug = new TypeError("a bug");
  const broken = {
    get: () => {
      throw bug;
    },
  };
  const bytes = Object.defineProperty(randomBytes(9), "length", broken);
  const isBug = (error: unknown): boolean => error === bug;
  assert.throws(() => store(memory(bytes)), isBug);
  const sound = verifyKey(KEY.publicKey);
  const key: VerifyKey = Object.defineProperty({ ...sound }, "handle", broken);
  const grants = new GrantStore({
    ...{ address: ADDRESS, seed: SEED, file: memory(), log: silentLog },
    grantKey: () => key,
  });
  await grants.apply(sealed(1)).then(
    () => assert.unreachable(),
    (error) => assert.ok(isBug(error)),
  );
});

test("killed at any moment, a car has one whole list, and never an older one than it confirmed", () =>
  inFolder(async (path) => {
    const script = fileURLToPath(new URL("./apply-lists.ts", import.meta.url));
    let confirmed = 0;
    for (const afterLines of [1, 2, 5, 9]) {
      const child = spawn(process.execPath, [script, path, String(confirmed + 1)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (text.split("\n").length > afterLines) child.kill("SIGKILL");
      });
      await once(child, "close");
      const said = text.trimEnd().split("\n").map(Number);
      confirmed = Math.max(confirmed, ...said.slice(0, text.endsWith("\n") ? undefined : -1));
      const content = await readTwoCopyFile(path);
      const found = store({ content, damaged: false, write: () => Promise.resolve() });
      assert.is(found.damaged, false);
      assert.ok(found.version() >= confirmed, `${found.version()} after ${confirmed}`);
    }
  }));

test.run();
