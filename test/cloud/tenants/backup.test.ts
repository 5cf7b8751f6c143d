/** P-90, P-31: backups that come back whole, and bring nobody back who was erased. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProtocolError, randomBytes, tenantId } from "@kerbside/protocol";
import {
  type BackupOptions,
  listBackups,
  makeBackup,
  openRegistry,
  restoreBackup,
  type SqliteTenantStore,
} from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, allEvents, CarLog, refuses } from "../../conformance/car-log.ts";
import { PROFILE, person } from "../../conformance/people-store.ts";
import { allBytes, type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const DAY_MS = 86_400_000;
const CANARY = "note-canary-of-demo";
type World = {
  files: TestRegistry;
  store: SqliteTenantStore;
  base: string;
  at: { nowMs: number };
  backupKey: Uint8Array;
};
const test = suite<World>("backup");
test.before.each(async (world) => {
  world.at = { nowMs: Date.UTC(2026, 0, 1) };
  world.base = mkdtempSync(join(tmpdir(), "kerbside-offsite-"));
  world.backupKey = randomBytes(32);
  world.files = await testRegistry(() => world.at.nowMs);
  await world.files.create("demo");
  const tenant = await world.files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  world.store = tenant.store;
});
test.after.each(async ({ files, base }) => {
  await files.close();
  rmSync(base, { recursive: true, force: true });
});

const backup = ({ files, base, backupKey, at }: World, more: Partial<BackupOptions> = {}) =>
  makeBackup({
    ...{ dir: files.dir, to: join(base, "off"), backupKey, nowMs: at.nowMs, keysDays: 30 },
    ...more,
  });
const restore = ({ files, base, backupKey }: World, name: string, set?: string) =>
  restoreBackup({
    ...{ from: join(base, "off"), dir: join(base, name), backupKey, masterKey: files.masterKey },
    audit: { ...AUDIT, action: "restore" },
    ...(set === undefined ? {} : { set }),
  });

async function reopened({ files, base }: World, name: string) {
  const registry = await openRegistry({ dir: join(base, name), masterKey: files.masterKey });
  return { registry, store: (await registry.tenant("demo"))?.store };
}

test("P-90 what was backed up comes back whole into an empty directory, and its trails verify", async (world) => {
  const log = new CarLog();
  await world.store.commitSegments([log.next("state", [log.position(1), log.note(2, CANARY)])]);
  const record = person();
  await world.store.people.putPerson(record, AUDIT);
  await world.files.registry.platform.rotateAudit(AUDIT);
  const told: number[] = [];
  const made = await backup(world, { told: ({ bytes }) => told.push(bytes) });
  assert.is(told.at(-1), made.bytes, "progress ends at what was copied");
  await world.store.audit({ ...AUDIT, action: "after the backup" });
  const done = await restore(world, "new");
  assert.is(done.atMs, world.at.nowMs);
  assert.equal(
    done.trails.map(({ trail, problems }) => [trail, problems]),
    [
      ["platform", []],
      ["demo", []],
    ],
  );
  const { registry, store } = await reopened(world, "new");
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  assert.equal(await allEvents(store), await allEvents(world.store));
  assert.equal(await store.people.person(record.person), record);
  await store.audit({ ...AUDIT, action: "it goes on" });
  assert.equal(store.verifyAudit().problems, []);
  registry.platform.audit({ ...AUDIT, action: "it goes on" });
  assert.equal(registry.platform.verifyAudit().problems, [], "by the platform's new key");
  await registry.close();
});

test("P-31 what a crash left of a backup of keys goes too", async (world) => {
  const cut = join(world.base, "off", "keys", ".20251230T000000000Z-0badc0de");
  const fresh = join(world.base, "off", "keys", ".20251231T230000000Z-0badc0de");
  for (const left of [cut, fresh]) {
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, "0.sealed"), "keys");
  }
  await backup(world);
  const there = readdirSync(join(world.base, "off", "keys"));
  assert.not(there.includes(".20251230T000000000Z-0badc0de"));
  assert.ok(there.includes(".20251231T230000000Z-0badc0de"), "it may be under way");
});

test("P-90 a backup is taken while the cloud writes", async (world) => {
  const log = new CarLog();
  let writing = true;
  const writer = (async () => {
    for (let i = 1; writing && i < 20_000; i += 1) {
      await world.store.commitSegments([log.next("state", [log.note(i, `n${i}`)])]);
      await world.store.audit(AUDIT);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await backup(world);
  writing = false;
  await writer;
  const { trails } = await restore(world, "new");
  assert.equal(
    trails.flatMap(({ problems }) => problems),
    [],
  );
});

test("P-31 no backup of stores holds a key, and nothing of either is readable", async (world) => {
  const log = new CarLog();
  await world.store.commitSegments([log.next("state", [log.note(1, CANARY)])]);
  await world.store.people.putPerson(person(), AUDIT);
  await backup(world);
  const off = join(world.base, "off");
  const bytes = allBytes(off);
  for (const canary of [CANARY, "SQLite format", "CREATE TABLE", PROFILE.email, "subjects"])
    assert.not(bytes.includes(canary), canary);
  rmSync(join(off, "keys"), { recursive: true });
  await refuses("not_found", restore(world, "new"));
});

test("P-31 an erased person stays erased after an older backup is restored", async (world) => {
  const { people } = world.store;
  const record = person();
  await people.putPerson(record, AUDIT);
  const { stores } = await backup(world);
  await people.putPerson({ ...record, state: "suspended", suspendedAtMs: 1 }, AUDIT);
  await people.erasePerson(record.person, AUDIT);
  world.at.nowMs += DAY_MS;
  await backup(world, { keysOnly: true });
  const done = await restore(world, "new", stores);
  assert.is(done.erasedAgain, 1);
  const { registry, store } = await reopened(world, "new");
  assert.is((await store?.people.person(record.person))?.state, "erased");
  assert.equal((await store?.people.person(record.person))?.profile, {});
  assert.equal(await store?.people.findPeople("email", PROFILE.email), []);
  await registry.close();
});

test("P-83 a tenant that left does not come back with an older backup", async (world) => {
  const { stores } = await backup(world);
  await world.files.registry.remove(tenantId("demo"), AUDIT);
  world.at.nowMs += DAY_MS;
  await backup(world);
  const done = await restore(world, "new", stores);
  assert.is(done.removedAgain, 1);
  const { registry } = await reopened(world, "new");
  assert.equal(registry.list(), []);
  assert.equal(readdirSync(join(world.base, "new", "tenants")), []);
  await registry.close();
});

test("P-31 backups of keys live thirty days, those of stores for as long as one likes", async (world) => {
  for (let day = 0; day <= 32; day += 8) {
    await backup(world);
    world.at.nowMs += 8 * DAY_MS;
  }
  const off = join(world.base, "off");
  assert.is(listBackups(off, "stores").length, 5);
  assert.equal(
    listBackups(off, "keys").map(({ atMs }) => (atMs - Date.UTC(2026, 0, 1)) / DAY_MS),
    [8, 16, 24, 32],
  );
});

test("P-90 what was changed, cut, swapped or sealed by another key is refused", async (world) => {
  await backup(world);
  const set = join(
    world.base,
    "off",
    "stores",
    listBackups(join(world.base, "off"), "stores")[0]?.name ?? "",
  );
  const names = readdirSync(set).sort();
  const whole = new Map(names.map((name) => [name, readFileSync(join(set, name))]));
  const of = (name: string): Buffer => whole.get(name) ?? Buffer.alloc(0);
  const flipped = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const rows = names.flatMap((name) => [
    { why: `${name}: first byte`, name, bytes: flipped(of(name), 0) },
    { why: `${name}: salt`, name, bytes: flipped(of(name), 20) },
    { why: `${name}: in the middle`, name, bytes: flipped(of(name), of(name).length >> 1) },
    { why: `${name}: cut`, name, bytes: of(name).subarray(0, of(name).length - 1) },
    { why: `${name}: longer`, name, bytes: Buffer.concat([of(name), Buffer.from([0])]) },
  ]);
  rows.push({ why: "swapped", name: "0.sealed", bytes: of("1.sealed") });
  for (const { why, name, bytes } of rows) {
    writeFileSync(join(set, name), bytes);
    await refuses(
      "unauthenticated",
      restore(world, `new-${rows.findIndex((r) => r.why === why)}`),
      why,
    );
    writeFileSync(join(set, name), of(name));
  }
  await refuses("unauthenticated", restore({ ...world, backupKey: randomBytes(32) }, "other"));
  mkdirSync(join(world.base, "full", "x"), { recursive: true });
  await refuses("conflict", restore(world, "full"));
  await restore(world, "after all");
});

test.run();
