/** P-52: a record of a read is answered when it is on the disk, by whichever thread; where the disk fails, so does the read. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { toHex } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FlushFailed, LogFlush } from "../../../cloud/tenants/log-flush.ts";
import { needs } from "../../support/debian.ts";
import { testRegistry } from "../../support/tenant-engine.ts";

const READER = fileURLToPath(new URL("./record-process.ts", import.meta.url));
const RECORDS = 40;
const PROCESS_MS_MAX = 60_000;

test("a log that cannot be flushed says so, now and later", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-log-flush-"));
  try {
    // Linux flushes no such device: EINVAL.
    symlinkSync("/dev/null", join(dir, "db-wal"));
    const log = new LogFlush(join(dir, "db"));
    const told = await log.flush().catch((error: unknown) => error);
    assert.instance(told, FlushFailed);
    assert.throws(
      () => log.flushNow(),
      (error: unknown) => error instanceof FlushFailed,
    );
    log.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

needs("strace")(
  "P-52 where flushes fail, reads are refused and recorded ones are kept",
  async () => {
    const files = await testRegistry();
    try {
      await files.create("demo");
      const before = (await (await files.registry.tenant("demo"))?.store.auditTrail(0, 1000))
        ?.length;
      await files.registry.close();
      const inject = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=3+4"];
      const args = [process.execPath, READER, files.dir, toHex(files.masterKey), `${RECORDS}`];
      const { stdout } = await promisify(execFile)("/usr/bin/strace", [...inject, ...args], {
        timeout: PROCESS_MS_MAX,
      });
      const outcomes = stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" "));
      const kept = outcomes.flatMap(([number, outcome]) =>
        outcome === "ok" ? [`read-${number}`] : [],
      );
      assert.is(outcomes.length, RECORDS, "it goes on after each failure");
      assert.ok(kept.length > 0 && kept.length < RECORDS, `${kept.length} of ${RECORDS}`);
      assert.ok(outcomes.every(([, outcome]) => outcome === "ok" || outcome === "storage_failed"));
      const { store } = (await (await files.again()).tenant("demo")) ?? {};
      const trail = new Set(
        (await store?.auditTrail(before ?? 0, 1000))?.map((row) => row.subject),
      );
      for (const subject of kept) assert.ok(trail.has(subject), subject);
      assert.equal(store?.verifyAudit().problems, []);
    } finally {
      await files.close();
    }
  },
);

test.run();
