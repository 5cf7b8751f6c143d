/** The examples of docs/can.md: what the page says of them must hold. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkProfile, checkScheme, formatProfileProblem, shippedProfiles } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { can } from "./cli/harness.ts";

const PAGE = readFileSync(new URL("../../../docs/can.md", import.meta.url), "utf8");

/** A fenced example, without the indent of the list that it stands in. */
function example(fence: string): string {
  const lines = PAGE.split("\n");
  const from = lines.findIndex((line) => line.trim() === `\`\`\`${fence}`);
  assert.ok(from >= 0, fence);
  const indent = (lines[from] ?? "").indexOf("`");
  const rest = lines.slice(from + 1);
  const to = rest.findIndex((line) => line.trim() === "```");
  return rest
    .slice(0, to)
    .map((line) => `${line.slice(indent)}\n`)
    .join("");
}

const DBC = Buffer.from(example("dbc"));
const checked = checkProfile({ file: "city", json: example("json profile"), dbc: () => DBC });

test("the profile is right, and so is the scheme for it", () => {
  assert.equal(checked.problems.map(formatProfileProblem), []);
  assert.ok(checked.compiled !== undefined);
  const { problems } = checkScheme(
    "winter",
    Buffer.from(example("json scheme")),
    checked.compiled.profile,
  );
  assert.equal(problems.map(formatProfileProblem), []);
});

test("the log is decoded to what the page prints", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-docs-"));
  try {
    writeFileSync(join(folder, "city.dbc"), DBC);
    writeFileSync(join(folder, "profile.json"), example("json profile"));
    writeFileSync(join(folder, "drive.log"), example("candump"));
    const ran = await can(["decode", "--profile", folder, join(folder, "drive.log")]);
    assert.is(ran.code, 0, ran.err);
    assert.is(ran.out, example("decoded"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the profiles that it names are those that come with the agent", () => {
  for (const name of shippedProfiles()) assert.ok(PAGE.includes(`\`${name}\``), name);
});

test.run();
