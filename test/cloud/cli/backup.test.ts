/** P-90, P-81: the commands of an operator, from a backup to a machine that serves again. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { callApi } from "@kerbside/cloud";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { jsonLines, runCloud, serveCloud } from "../../support/cloud-process.ts";

const test = suite("backup and restore");
const base = mkdtempSync(join(tmpdir(), "kerbside-restore-"));
const [dir, off, fresh] = [join(base, "cloud"), join(base, "off"), join(base, "fresh")];
test.after(() => rmSync(base, { recursive: true, force: true }));

const secretsOf = () =>
  Object.fromEntries(
    ["master", "signer", "issuer", "backup"].map((name) => [
      `KERBSIDE_${name.toUpperCase()}_KEY`,
      readFileSync(join(dir, "secrets", `${name}-key`), "utf8").trim(),
    ]),
  );

async function ok(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, out, err } = await runCloud([...words, "--json"], env);
  assert.is(code, 0, `${words.join(" ")}: ${err}`);
  return jsonLines(out)[0] ?? {};
}

test("P-31 no backup of keys lives longer than an erasure waits for its certificate", async () => {
  const { code, err } = await runCloud(["backup", "--data", dir, "--to", off, "--keys-days", "31"]);
  assert.is(code, 2);
  assert.match(err, "--keys-days");
});

test("P-90 a cloud is restored into an empty directory, serves there, and who was erased stays so", async () => {
  await ok(["tenant", "create", "demo", "--data", dir, "--dev"]);
  const made = await ok([
    ...["account", "create", "--data", dir, "--tenant", "demo", "--user", "ann"],
    ...["--role", "member", "--email", "ann@example.test"],
  ]);
  const person = String(made["person"]);
  const of = ["--data", dir, "--tenant", "demo", "--person", person];
  const { stores } = await ok(["backup", "--data", dir, "--to", off, "--dev"]);
  await ok(["erase", ...of, "--stage", "suspend"]);
  assert.is((await runCloud(["erase", ...of, "--stage", "erase"])).code, 1, "before its time");
  await ok(["erase", ...of, "--stage", "erase", "--early", "--reason", "asked for it"]);
  const within = ["--data", dir, "--tenant", "demo", "--within", "31"];
  const due = await ok(["erase", "due", ...within]);
  assert.equal([due["person"], due["stage"]], [person, "certify"], "once backups of keys are gone");
  await ok(["backup", "--data", dir, "--to", off, "--keys-only"]);

  const secrets = secretsOf();
  const done = await ok(
    ["restore", "--data", fresh, "--from", off, "--set", String(stores)],
    secrets,
  );
  assert.equal([done["ok"], done["erasedAgain"]], [true, 1]);
  const again = await serveCloud(fresh, [], secrets);
  const ca = readFileSync(join(fresh, "tls", "ca.pem"), "utf8");
  const health = { method: "GET", path: "/health", headers: {} } as const;
  const { status } = await callApi(new URL(`https://localhost:${again.https}`), ca, health);
  assert.is(status, 200);
  await again.stop();
  const full = await runCloud(["restore", "--data", fresh, "--from", off], secrets);
  assert.is(full.code, 1);
  assert.match(full.err, /expected an empty directory/);
});

test.run();
