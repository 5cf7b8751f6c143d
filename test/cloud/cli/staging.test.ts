/** P-94: staging is filled with made-up data and refuses production's directories and backups, and the other way round. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COMMANDS, runCli } from "@kerbside/cloud";
import { tenantId } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { auditChecks } from "../../../cloud/audit-check.ts";

const test = suite<{ base: string }>("staging");
test.before((context) => {
  context.base = mkdtempSync(join(tmpdir(), "kerbside-staging-"));
});
test.after(({ base }) => rmSync(base, { recursive: true }));

const keys = {
  KERBSIDE_MASTER_KEY: randomBytes(32).toString("base64url"),
  KERBSIDE_SIGNER_KEY: randomBytes(32).toString("base64url"),
  KERBSIDE_ISSUER_KEY: randomBytes(32).toString("base64url"),
  KERBSIDE_BACKUP_KEY: randomBytes(32).toString("base64url"),
};

async function run(stage: "production" | "staging", ...words: readonly string[]) {
  let err = "";
  const code = await runCli(COMMANDS, words, {
    out: () => undefined,
    err: (text) => {
      err += text;
    },
    env: { USER: "tester", ...keys, KERBSIDE_STAGE: stage },
    stop: new AbortController().signal,
  });
  return { code, err };
}

test("P-94 a directory or backup of one stage is refused by the other, and taken by its own", async ({
  base,
}) => {
  for (const [mine, other] of [
    ["production", "staging"],
    ["staging", "production"],
  ] as const) {
    const [data, to] = [join(base, mine), join(base, `${mine}-backup`)];
    assert.is((await run(mine, "tenant", "create", "demo", "--data", data, "--dev")).code, 0);
    const foreign = await run(other, "tenant", "list", "--data", data);
    assert.is(foreign.code, 1);
    assert.match(foreign.err, `is of ${mine}, and this is ${other}`);
    assert.is((await run(mine, "backup", "--data", data, "--to", to)).code, 0);
    const target = join(base, `${mine}-in-${other}`);
    const refused = await run(other, "restore", "--data", target, "--from", to);
    assert.is(refused.code, 1);
    assert.match(refused.err, `is of ${mine}, and this is ${other}`);
    assert.not.ok(existsSync(join(target, "platform.sqlite")), "nothing of it was written");
    const again = join(base, `${mine}-again`);
    assert.is((await run(mine, "restore", "--data", again, "--from", to)).code, 0);
    assert.is((await run(mine, "tenant", "list", "--data", again)).code, 0);
    assert.is((await run(other, "tenant", "list", "--data", again)).code, 1, "it stays what it is");
  }
});

test("P-94 the check of a trail over the API is made in staging too", async ({ base }) => {
  const masterKey = Buffer.from(keys.KERBSIDE_MASTER_KEY, "base64url");
  for (const stage of ["production", "staging"]) {
    const { problems } = await auditChecks(join(base, stage), masterKey)(tenantId("demo"));
    assert.equal(problems, [], stage);
  }
});

test("P-94 a service that is started by itself refuses the other stage's directory", async ({
  base,
}) => {
  for (const [mine, other] of [
    ["production", "staging"],
    ["staging", "production"],
  ] as const)
    for (const service of ["node", "signer", "issuer"]) {
      const { code, err } = await run(other, "serve", service, "--data", join(base, mine));
      assert.is(code, 1, service);
      assert.match(err, `is of ${mine}, and this is ${other}`);
    }
});

test("P-94 what is neither is refused", async ({ base }) => {
  const { code } = await runCli(COMMANDS, ["tenant", "list", "--data", join(base, "production")], {
    out: () => undefined,
    err: () => undefined,
    env: { USER: "tester", ...keys, KERBSIDE_STAGE: "test" },
    stop: new AbortController().signal,
  }).then((status) => ({ code: status }));
  assert.is(code, 1);
});

test.run();
