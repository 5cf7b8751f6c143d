/** P-90: a live replica while others write, what is lost when the machine goes, and how long it takes to serve again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ProtocolError, tenantId, toHex } from "@kerbside/protocol";
import { openRegistry, openReplica } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, allEvents, CarLog } from "../../conformance/car-log.ts";
import { PROFILE, person } from "../../conformance/people-store.ts";
import { startCloud } from "../../support/cloud-process.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";

const COMMITTER = fileURLToPath(new URL("./commit-process.ts", import.meta.url));
const EVENTS_A_SEGMENT = 20;
type World = { files: TestRegistry; base: string; to: string };
const test = suite<World>("replica");
test.before.each(async (world) => {
  world.files = await testRegistry();
  world.base = mkdtempSync(join(tmpdir(), "kerbside-replica-"));
  world.to = join(world.base, "replica");
  await world.files.create("demo");
});
test.after.each(async ({ files, base }) => {
  await files.close();
  rmSync(base, { recursive: true, force: true });
});

/** What a machine that takes over finds: the replica, and nothing of the processes that had it open. */
async function takenOver({ files, base, to }: World, name: string) {
  const dir = join(base, name);
  cpSync(to, dir, { recursive: true, filter: (path) => !path.endsWith("-shm") });
  const registry = await openRegistry({ dir, masterKey: files.masterKey });
  const store = (await registry.tenant("demo"))?.store;
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  return { registry, store };
}

test("P-90 each round brings the replica up to the last commit, whatever the size of the log", async (world) => {
  const store = (await world.files.registry.tenant("demo"))?.store;
  const replica = openReplica(world.files.dir, world.to);
  const log = new CarLog();
  let shipped = 0;
  for (let round = 0; round < 12; round += 1) {
    for (let i = 0; i < 40; i += 1) {
      const events = Array.from({ length: 100 }, (_, k) => log.note(k, "n".repeat(200)));
      await store?.commitSegments([log.next("state", events)]);
    }
    const { failed, bytes } = await replica.round();
    assert.equal(failed, []);
    shipped += bytes;
    if (round % 4 !== 3) continue;
    const there = await takenOver(world, `new-${round}`);
    assert.is((await allEvents(there.store)).length, (round + 1) * 4000);
    assert.equal(there.store.verifyAudit().problems, []);
    await there.registry.close();
  }
  assert.ok(shipped > 10e6, `the log was taken in more than once: ${shipped} bytes`);
  replica.close();
});

function commit(files: TestRegistry): { child: ChildProcess; stored: () => number } {
  const args = [COMMITTER, files.dir, toHex(files.masterKey), "1000000"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let stored = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith("log ")) stored = Number(line);
  });
  return { child, stored: () => stored };
}

test("P-90 a machine that dies loses less than a minute of what it had committed, and the replica serves", async (world) => {
  const writers = [commit(world.files), commit(world.files)];
  const words = ["replicate", "--data", world.files.dir, "--to", world.to, "--every-ms", "100"];
  const keeper = startCloud([...words, "--json"]);
  const ready = keeper.stdout && createInterface({ input: keeper.stdout });
  if (ready === null) throw new Error("its output is piped");
  await once(ready, "line");
  for (let life = 0; life < 2; life += 1) {
    const before = writers.map(({ stored }) => stored());
    await until("both have written more", () =>
      writers.every(({ stored }, i) => stored() > (before[i] ?? 0) + 100),
    );
    const marks = writers.map(({ stored }) => stored());
    const markedMs = performance.now();
    // The replica has to show what was committed before this moment; how long it takes is what would be lost.
    await until("the replica has it", async () => {
      const name = `look-${life}`;
      rmSync(join(world.base, name), { recursive: true, force: true });
      const { registry, store } = await takenOver(world, name);
      const events = (await allEvents(store)).length;
      await registry.close();
      return events >= marks.reduce((sum, mark) => sum + mark * EVENTS_A_SEGMENT, 0);
    });
    assert.ok(performance.now() - markedMs < 60_000, "less than a minute");
  }
  const told = writers.map(({ stored }) => stored());
  for (const { child } of [...writers, { child: keeper }]) {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  const startMs = performance.now();
  const { registry, store } = await takenOver(world, "after");
  const { problems, entries } = store.verifyAudit();
  assert.equal(problems, []);
  assert.ok(entries > 0);
  const events = (await allEvents(store)).length;
  assert.is(events % EVENTS_A_SEGMENT, 0, "whole transactions only");
  assert.ok(events > 0 && told.every((mark) => mark > 0));
  await store.audit(AUDIT);
  assert.ok(performance.now() - startMs < 1_800_000, "less than half an hour");
  await registry.close();
});

test("P-31 a key that was destroyed is gone from the replica with the next round", async (world) => {
  const store = (await world.files.registry.tenant("demo"))?.store;
  const record = person({ state: "suspended", suspendedAtMs: 1 });
  await store?.people.putPerson(record, AUDIT);
  const replica = openReplica(world.files.dir, world.to);
  await replica.round();
  const first = await takenOver(world, "first");
  assert.is((await first.store.people.person(record.person))?.profile.email, PROFILE.email);
  await first.registry.close();
  await store?.people.erasePerson(record.person, AUDIT);
  await replica.round();
  const second = await takenOver(world, "second");
  assert.equal((await second.store.people.person(record.person))?.profile, {});
  await second.registry.close();
  replica.close();
});

test("P-83 a tenant that leaves, or comes, does so in the replica too", async (world) => {
  const replica = openReplica(world.files.dir, world.to);
  await replica.round();
  await world.files.create("rival");
  assert.equal((await replica.round()).failed, []);
  const tenants = join(world.to, "tenants");
  assert.is(readdirSync(tenants).length, 2);
  await world.files.registry.remove(tenantId("demo"), AUDIT);
  assert.equal((await replica.round()).failed, []);
  assert.is(readdirSync(tenants).length, 1);
  assert.ok(existsSync(join(tenants, readdirSync(tenants)[0] ?? "", "subjects.sqlite")));
  replica.close();
});

test.run();
