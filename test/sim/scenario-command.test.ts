/** `kerbside-sim scenario` by its command line: linting, statuses, JSON, JUnit. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runSim } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../house/sources.ts";
import { realClock, realRandom } from "../support/runtime.ts";

type Ran = { readonly code: number; readonly out: string; readonly err: string };

async function sim(...args: readonly string[]): Promise<Ran> {
  let out = "";
  let err = "";
  const code = await runSim(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    signal: new AbortController().signal,
    clock: realClock,
    random: realRandom,
  });
  return { code, out, err };
}

function folder(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-scenarios-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

const GOOD =
  "scenario: Stands\nstory: A car stands locked.\nsteps:\n  - wait: 5s\n  - expect: { car: { locked: true } }\n";
const FAILS = GOOD.replace("locked: true }", "locked: false }, within: 0");
const WRONG = GOOD.replace("wait: 5s", "wait: 5 s");

test("wrong words are status 2, and say what was expected", async () => {
  const none = await sim("scenario");
  assert.is(none.code, 2);
  assert.match(none.err, "at least 1 arguments");
  const missing = await sim("scenario", "/nowhere/x.yaml");
  assert.is(missing.code, 2);
  assert.match(missing.err, "/nowhere/x.yaml: no such file");
  assert.match((await sim("scenario", "--help")).out, "--junit FILE");
});

test("a file that is wrong is named with its line, and nothing is played", async () => {
  const dir = folder({ "a.yaml": GOOD, "b.yaml": WRONG });
  const { code, err, out } = await sim("scenario", dir);
  assert.is(code, 1);
  assert.match(err, "b.yaml:4: ");
  assert.is(out, "");
  const json = await sim("scenario", "--lint", "--json", dir);
  const lines = json.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(
    lines.map(({ ok }) => ok),
    [true, false],
  );
  rmSync(dir, { recursive: true });
});

test("all shipped scenarios are fine, and there are at least 25 of them", async () => {
  const { code, out } = await sim("scenario", "--lint", join(root, "sim", "scenarios"));
  assert.is(code, 0);
  assert.ok(Number(/^(\d+) files are fine/.exec(out)?.[1]) >= 25, out);
});

test("what holds is status 0, what does not status 1; a line a scenario, and a JUnit file", async () => {
  const dir = folder({ "a.yaml": GOOD, "b.yaml": FAILS });
  const junit = join(dir, "report.xml");
  const { code, out } = await sim("scenario", "--json", "--junit", junit, dir);
  assert.is(code, 1);
  const played = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(
    played.map(({ scenario, held }) => [scenario, held]),
    [
      ["Stands", true],
      ["Stands", false],
    ],
  );
  assert.match(played[1].steps[1].evidence, "locked is true, not false");
  assert.match(readFileSync(junit, "utf8"), 'failures="1" errors="0"');
  const text = await sim("scenario", join(dir, "a.yaml"));
  assert.is(text.code, 0);
  assert.match(text.out, "1 of 1 scenarios held");
  rmSync(dir, { recursive: true });
});

test.run();
