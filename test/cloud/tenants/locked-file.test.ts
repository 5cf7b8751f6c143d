/** One tenant's file that another process has locked: the others go on. */
import { join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CarLog } from "../../conformance/car-log.ts";
import { tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";

const FIRST_MS = 250;

test("P-10 one tenant's locked file costs the others a moment, once, and is written again when it is free", async () => {
  const files = await testRegistry(Date.now, FIRST_MS);
  await files.create("demo");
  const [directory = ""] = tenantDirectories(files.dir);
  const store = (await files.registry.tenant("demo"))?.store;
  if (store === undefined) throw new Error("the tenant was not made");
  const log = new CarLog();
  const segment = log.next("state", [log.note(1, "a")]);
  const refused = (): Promise<string> =>
    store.commitSegments([segment]).then(
      () => "stored",
      (error: unknown) => (error instanceof ProtocolError ? error.code : String(error)),
    );
  // For the key of the car's events, which lies in another file.
  await store.subjectKeys.seal("vehicle:car-1", Uint8Array.of(1), Uint8Array.of());
  const other = new BetterSqlite3(join(directory, "store.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  const fromMs = performance.now();
  for (let i = 0; i < 200; i += 1) assert.is(await refused(), "storage_failed");
  const tookMs = performance.now() - fromMs;
  assert.ok(tookMs < 2000, `${tookMs} ms for 200 tries`);
  assert.is((await store.vehicles()).length, 0, "it is read all the while");
  other.exec("ROLLBACK");
  other.close();
  await until("it is taken", async () => (await refused()) === "stored");
  await files.close();
});

test.run();
