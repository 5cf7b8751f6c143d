/** Each deliberate breakage of the table is noticed by the test that is there for it, run for itself with the change. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BREAKAGES, type Breakage } from "./breakages.ts";

const RUN_MS_MAX = 90_000;

function run({ file, from, to, test: name }: Breakage): Promise<string> {
  const edit = Buffer.from(JSON.stringify({ file, from, to })).toString("base64url");
  const plant = `${new URL("./plant-hook.ts", import.meta.url).href}?${edit}`;
  const script = fileURLToPath(new URL(`../${name}.test.ts`, import.meta.url));
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--import", plant, script],
      { timeout: RUN_MS_MAX, env: { PATH: "/usr/bin:/bin" } },
      (error, out, err) =>
        resolve(`status ${error === null ? 0 : String(error.code)}\n${out}${err}`),
    );
  });
}

for (const breakage of BREAKAGES) {
  test(`is noticed: ${breakage.name}`, async () => {
    const said = await run(breakage);
    const failed = said.split("\n").filter((line) => line.includes("FAIL"));
    assert.ok(
      failed.some((line) => line.includes(`"${breakage.noticedBy}`)),
      `${breakage.test} lets it pass: ${said.slice(0, 2000)}`,
    );
  });
}

test.run();
