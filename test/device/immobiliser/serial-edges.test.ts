/** One write after another over a real socket: each is done before the next, so none waits for ever. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serialLink } from "@kerbside/immobiliser";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";

test("what is written after another write goes out too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-serial-"));
  const path = join(folder, "lock.sock");
  const got: Buffer[] = [];
  const server = createServer((one) => one.on("data", (bytes: Buffer) => got.push(bytes)));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const line = await serialLink(path, 115_200)({ data: () => undefined, closed: () => undefined });
  try {
    for (let byte = 1; byte <= 3; byte += 1) {
      assert.is(line.write(Uint8Array.of(byte)), true);
      await until("the byte", () => Buffer.concat(got).length === byte);
    }
    assert.equal([...Buffer.concat(got)], [1, 2, 3]);
  } finally {
    line.close();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test.run();
