import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runFlow } from "@kerbside/flows";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { flowOf } from "./support.ts";

function run(...args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const status = runFlow(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { status, out, err };
}

const dir = mkdtempSync(join(tmpdir(), "kerbside-flow-cli-"));
const [good, bad] = [join(dir, "good.json"), join(dir, "bad.json")];
writeFileSync(good, JSON.stringify(flowOf("good", "")));
writeFileSync(bad, JSON.stringify(flowOf("bad", "", { signals: ["Vehicle.Wish"] })));
test.after(() => rmSync(dir, { recursive: true }));

test("flow check: what is fit is summed up, what is not is told with its place", () => {
  assert.equal(run("check", good), {
    status: 0,
    out: [`${good}: flow good, version 1: 1 signals, 1 events, 4 nodes`],
    err: [],
  });
  const { status, out, err } = run("check", good, bad);
  assert.is(status, 1);
  assert.is(out.length, 1);
  assert.equal(err, [
    `${bad}#/signals: no signal Vehicle.Wish`,
    `${bad}#/nodes/1/signal: not among /signals`,
  ]);
});

test("flow check --json: one line a file", () => {
  const { status, out } = run("check", "--json", good, bad);
  assert.is(status, 1);
  assert.equal(
    out.map((line) => (JSON.parse(line) as { problems: string[] }).problems.length),
    [0, 2],
  );
});

test("flow schema: a JSON Schema", () => {
  const { status, out } = run("schema");
  assert.is(status, 0);
  assert.is((JSON.parse(out.join("\n")) as { type: string }).type, "object");
});

test("used wrongly: status 2 and help", () => {
  for (const args of [[], ["check"], ["check", "--nonsense"], ["draw"], ["schema", "x"]]) {
    const { status, err } = run(...args);
    assert.is(status, 2, args.join(" "));
    assert.match(err.join("\n"), /flow check FILE/);
  }
});

test.run();
