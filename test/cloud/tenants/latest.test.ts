/** The newest state of a car does not cost more with each of its boots. */

import { join } from "node:path";
import { tenantId } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CAR, CarLog } from "../../conformance/car-log.ts";
import { tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

const BOOTS = 60;

test("of many boots the newest of each kind is kept, also of a kind that came long ago", async () => {
  const files = await testRegistry();
  await files.create("demo");
  const store = (await files.registry.tenant(tenantId("demo")))?.store;
  if (store === undefined) throw new Error("no tenant");
  let before: CarLog | undefined;
  for (let boot = 0; boot < BOOTS; boot += 1) {
    const log = new CarLog(CAR, 1_790_000_000_000 + boot * 3_600_000);
    await store.putOpening(log.opening(before));
    await store.commitSegments([log.next("state", [log.note(1, `boot ${boot}`)])]);
    if (boot === 3) await store.commitSegments([log.next("track", [log.position(2)])]);
    before = log;
  }
  const latest = await store.latest(CAR);
  assert.equal(
    latest.map(({ kind }) => kind),
    ["position.sampled", "diagnostic.note"],
  );
  assert.equal(latest[1]?.data, { note: `boot ${BOOTS - 1}` });
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"), { readonly: true });
  const rows = db.prepare("SELECT count(*) FROM latest").pluck().get();
  db.close();
  assert.ok(Number(rows) <= 17, `${rows} rows`);
  await files.close();
});

test.run();
