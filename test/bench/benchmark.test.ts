import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

const MAIN = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

type Ran = { readonly code: number; readonly out: string; readonly err: string };

function bench(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, out, err });
    });
  });
}

test("bench without a name lists the benchmarks", async () => {
  const { code, out } = await bench();
  assert.is(code, 0);
  assert.match(out, /^ {2}can +decoding against candied/m);
});

for (const args of [["nothing"], ["can", "more"], ["--wat"], ["can", "--peer", "nothing"]]) {
  test(`bench used wrongly: ${args.join(" ")}`, async () => {
    const { code, out, err } = await bench(...args);
    assert.is(code, 2);
    assert.is(out, "");
    assert.ok(err.length > 0);
  });
}

test.run();
