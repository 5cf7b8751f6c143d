/** `client`: programs of the operator's get secrets, and lose what they had of them at once. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { callCloud } from "../../support/cloud-call.ts";
import { jsonLines, runCloud } from "../../support/cloud-process.ts";

const test = suite("clients");
const base = mkdtempSync(join(tmpdir(), "kerbside-clients-"));
const dir = join(base, "cloud");
const of = ["--data", dir, "--tenant", "demo"];
let env: Readonly<Record<string, string>> = {};

test.before(async () => {
  const made = await runCloud(["tenant", "create", "demo", "--data", dir, "--dev"]);
  assert.is(made.code, 0, made.err);
  const text = (name: string) => readFileSync(join(dir, "secrets", name), "utf8").trim();
  env = { KERBSIDE_MASTER_KEY: text("master-key"), KERBSIDE_ISSUER_KEY: text("issuer-key") };
});
test.after(() => rmSync(base, { recursive: true, force: true }));

async function listed(): Promise<readonly unknown[]> {
  const { code, out, err } = await callCloud(["client", "list", ...of, "--json"], env);
  assert.is(code, 0, err);
  return jsonLines(out).map((row) => [row["client"], row["revokedAt"] !== undefined]);
}

test("P-51 a client is made, listed and revoked, each with a word in the audit; its name stays taken", async () => {
  const add = ["client", "add", "night-shift", ...of, "--for"];
  const added = await callCloud([...add, "backend", "--json"], env);
  assert.is(added.code, 0, added.err);
  const file = String(jsonLines(added.out)[0]?.["clientSecretFile"]);
  assert.ok(readFileSync(file, "utf8").trim().length >= 43);
  assert.not(added.out.includes(readFileSync(file, "utf8").trim()));
  const before = [
    ["demo-backend", false],
    ["demo-operator", false],
  ];
  assert.equal(await listed(), [...before, ["night-shift", false]]);

  const revoked = await callCloud(["client", "revoke", "night-shift", ...of], env);
  assert.is(revoked.code, 0, revoked.err);
  assert.equal(await listed(), [...before, ["night-shift", true]]);
  const audit = await callCloud(["audit", "export", "--platform", "--data", dir], env);
  assert.match(audit.out, "client.create");
  assert.match(audit.out, "client.revoke");

  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["client", "revoke", "night-shift", ...of], /is not there/],
    [["client", "revoke", "nobody", ...of], /is not there/],
    [["client", "revoke", "No Name", ...of], /expected an id/],
    [[...add, "backend"], /is there already/],
    [[...add, "manager"], /expects backend or operator/],
    [["client", "list", "--data", dir, "--tenant", "other"], /tenant other: is not there/],
  ];
  for (const [words, why] of wrong) {
    const { code, err } = await callCloud(words, env);
    assert.is.not(code, 0, words.join(" "));
    assert.match(err, why);
  }
});

test.run();
