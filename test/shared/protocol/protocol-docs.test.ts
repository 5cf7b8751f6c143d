import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

const script = fileURLToPath(new URL("../../../scripts/protocol-docs.ts", import.meta.url));

test("the tables of protocol.md are what the schemas say", () => {
  const { status, stderr } = spawnSync(process.execPath, [script, "--check"], {
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.is(stderr, "");
  assert.is(status, 0);
});

test.run();
