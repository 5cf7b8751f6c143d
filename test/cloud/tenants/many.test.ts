/** Many tenants in one process: opened when they are needed, and let go of when others are. */
import { readdirSync, readlinkSync } from "node:fs";
import { tenantId } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, CarLog } from "../../conformance/car-log.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const TENANTS = 48;
/** As the package says: files open at a time, store and keys of each tenant, and the platform's two. */
const HANDLES_MAX = 64;
const test = suite<{ files: TestRegistry }>("many tenants");
test.before.each(async (world) => {
  world.files = await testRegistry();
});
test.after.each(({ files }) => files.close());

/** Databases open in this process under a directory. */
function openFiles(dir: string): number {
  return readdirSync("/proc/self/fd")
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "";
      }
    })
    .filter((path) => path.startsWith(dir) && path.endsWith(".sqlite")).length;
}

test("tenants are opened and closed as they are used, and none notices", async ({ files }) => {
  const ids = Array.from({ length: TENANTS }, (_, i) => `tenant-${i}`);
  for (const id of ids) await files.create(id);
  const logs = new Map(ids.map((id) => [id, new CarLog()]));
  for (let round = 1; round <= 2; round += 1)
    for (const id of ids) {
      const tenant = await files.registry.tenant(id);
      const log = logs.get(id);
      if (log === undefined) continue;
      const segment = log.next("state", [log.note(round, `${id} ${round}`)]);
      const header = { ...segment.header, tenant: tenantId(id) };
      await tenant?.store.commitSegments([{ ...segment, header }]);
      await tenant?.store.audit(AUDIT);
      assert.ok(openFiles(files.dir) <= HANDLES_MAX, `${openFiles(files.dir)} are open`);
    }
  for (const id of ids) {
    const store = (await files.registry.tenant(id))?.store;
    if (store === undefined) throw new Error(id);
    const { items } = await store.events({ limit: 10 });
    const notes = items.map((event) => JSON.stringify(event));
    assert.is(notes.length, 2);
    assert.ok(notes.every((note) => note.includes(`${id} `)));
    assert.equal(store.verifyAudit().problems, []);
  }
});

test.run();
