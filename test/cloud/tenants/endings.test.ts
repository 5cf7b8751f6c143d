/** P-32, P-81, P-82: what ends by itself, whom that spares, and what of it is taken on after it was cut short. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import Sqlite from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { account, person } from "../../conformance/people-store.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";

const DAY_MS = 86_400_000;
const LOCK_WAIT_MS = 250;

/** How many files are in the one tenant's store, as an SQLite of its own reads them. */
function filesInStore(dir: string): number {
  const [directory = ""] = tenantDirectories(dir);
  const sql = new Sqlite(join(directory, "store.sqlite"), { readonly: true });
  const rows = sql.prepare<[], { file: string }>("SELECT file FROM owned_files").all();
  sql.close();
  return rows.length;
}

type World = { files: TestRegistry; store: SqliteTenantStore; at: { nowMs: number } };
const test = suite<World>("endings");
test.before.each(async (world) => {
  world.at = { nowMs: Date.UTC(2026, 0, 1) };
  world.files = await testRegistry(() => world.at.nowMs, LOCK_WAIT_MS);
  await world.files.create("demo");
  const tenant = await world.files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  world.store = tenant.store;
});
test.after.each(({ files }) => files.close());

test("P-81 who works for the operator is not taken for somebody who stays away", async ({
  store,
  at,
}) => {
  const { people } = store;
  const [staff, left, driver] = [person(), person(), person()];
  for (const record of [staff, left, driver]) await people.putPerson(record, AUDIT);
  const put = (of: string, user: string, change: Parameters<typeof account>[1]) =>
    people.putAccount(account(of, change), user, AUDIT);
  await put(staff.person, "staff", { role: "manager" });
  await put(left.person, "left", { role: "manager", state: { at: "closed" } });
  await put(driver.person, "driver", {});
  at.nowMs += 5 * 365 * DAY_MS;
  assert.is((await people.endDue(AUDIT)).suspended, 2);
  assert.is((await people.person(staff.person))?.state, "active");
});

test("P-32 a file whose time is over goes with the next sweep, though nobody adds another", async ({
  files,
  store,
  at,
}) => {
  const [one, held] = [person(), person()];
  for (const record of [one, held]) await store.people.putPerson(record, AUDIT);
  for (const { person: of } of [one, held])
    await store.files.putFile(
      { kind: "export", owner: `person:${of}`, content: Buffer.from("{}") },
      AUDIT,
    );
  const hold = { hold: randomUUID(), person: held.person, reason: "r", readers: ["a"] };
  await store.people.placeHold({ ...hold, placedAtMs: 1 }, AUDIT);
  at.nowMs += 8 * DAY_MS;
  assert.is(filesInStore(files.dir), 2);
  await store.retention.sweep();
  assert.is(filesInStore(files.dir), 1, "what a hold names stays");
  const told = async () =>
    (await store.auditTrail(0, 100)).filter(({ action }) => action === "file.end");
  assert.equal(
    (await told()).map(({ reason }) => reason),
    ["1 files"],
  );
  await store.retention.sweep();
  assert.is((await told()).length, 1);
});

test("P-82 a release that is cut short before the key of its copy ends is ended by the next", async ({
  files,
  store,
}) => {
  const { people, subjectKeys } = store;
  const record = person();
  await people.putPerson(record, AUDIT);
  const hold = { hold: randomUUID(), person: record.person, reason: "r", readers: ["a"] };
  await people.placeHold({ ...hold, placedAtMs: 1 }, AUDIT);
  const bound = Uint8Array.of();
  const sealed = await subjectKeys.seal(`hold:${hold.hold}`, Uint8Array.of(1), bound);
  const [directory = ""] = tenantDirectories(files.dir);
  const other = new Sqlite(join(directory, "subjects.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  await refuses("storage_failed", people.releaseHold(hold.hold, AUDIT));
  other.exec("ROLLBACK");
  other.close();
  await until("it is released", () =>
    people.releaseHold(hold.hold, AUDIT).then(
      () => true,
      () => false,
    ),
  );
  await refuses("not_found", subjectKeys.open(`hold:${hold.hold}`, sealed, bound));
  await refuses("not_found", people.releaseHold(hold.hold, AUDIT), "twice");
});

test("P-81 an erasure that is cut short before the keys end is taken on with what is due", async ({
  files,
  store: { people },
  at,
}) => {
  const [first, second] = [person(), person()];
  for (const record of [first, second]) {
    await people.putPerson(record, AUDIT);
    await people.putPerson({ ...record, state: "suspended", suspendedAtMs: at.nowMs }, AUDIT);
  }
  const [directory = ""] = tenantDirectories(files.dir);
  const other = new Sqlite(join(directory, "subjects.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  await refuses("storage_failed", people.erasePerson(first.person, AUDIT));
  other.exec("ROLLBACK");
  other.close();
  assert.is((await people.person(first.person))?.state, "erased", "nothing is given out any more");
  at.nowMs += 40 * DAY_MS;
  const due = (await people.due(at.nowMs)).map(({ person: id, stage }) => [id, stage]);
  assert.equal(due, [[first.person, "erase"]]);
  let erased = 0;
  await until("the file of the keys is tried again", () =>
    people.endDue(AUDIT).then(
      (done) => {
        erased = done.erased;
        return true;
      },
      () => false,
    ),
  );
  assert.is(erased, 1);
  await refuses(
    "conflict",
    people.certifyErasure(first.person, AUDIT),
    "a backup may have the key",
  );
  at.nowMs += 30 * DAY_MS;
  assert.is((await people.endDue(AUDIT)).certified, 1);
  assert.equal(await people.due(at.nowMs), []);
});

test.run();
