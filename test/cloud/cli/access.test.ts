/** P-23, P-60, P-61 at the command line: a key to read with, support with four eyes, a secret for two. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accountsOf, COMMANDS, callApi, runCli } from "@kerbside/cloud";
import { codeAt } from "@kerbside/identity";
import { type Role, randomBytes, tenantId } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { person } from "../../conformance/people-store.ts";
import { jsonLines, runCloud, type ServingCloud, serveCloud } from "../../support/cloud-process.ts";
import { realClock } from "../../support/runtime.ts";

const PASSWORD = "tall grass by the canal";
const test = suite("access at the command line");
const base = mkdtempSync(join(tmpdir(), "kerbside-access-"));
const dir = join(base, "cloud");
const DEMO = tenantId("demo");
let cloud: ServingCloud;

const secret = (name: string) =>
  new Uint8Array(Buffer.from(readFileSync(join(dir, "secrets", name), "utf8").trim(), "base64url"));

/** With the secret of a second factor, where there is to be one; it is shown at `step`. */
async function addPerson(user: string, role: Role, factor?: Uint8Array): Promise<number> {
  const registry = await openRegistry({ dir, masterKey: secret("master-key") });
  const accounts = accountsOf({
    tenants: registry,
    issuerKey: secret("issuer-key"),
    clock: realClock,
  });
  const record = person();
  const who = { tenant: DEMO, person: record.person };
  await (await registry.tenant("demo"))?.store.people.putPerson(record, AUDIT);
  await accounts.create({ ...who, user, role }, AUDIT);
  await accounts.setPassword(who, PASSWORD, AUDIT);
  const step = Math.floor(Date.now() / 30_000);
  if (factor !== undefined) {
    const { tokensAfterMs } = await accounts.open(who);
    const begun = { ...who, hasFactor: false, tokensAfterMs };
    await accounts.putFactor(begun, factor, codeAt(factor, step));
  }
  await registry.close();
  return step;
}

async function run(
  user: string | undefined,
  words: readonly string[],
  password = PASSWORD,
  code?: string,
) {
  const who = user === undefined ? [] : ["--user", user];
  const env = {
    KERBSIDE_PASSWORD: password,
    ...(code === undefined ? {} : { KERBSIDE_CODE: code }),
  };
  const whose = words.includes("--platform") ? [] : ["--tenant", "demo"];
  const args = [...words, "--data", dir, ...whose, "--json", ...who];
  let [out, err] = ["", ""];
  const status = await runCli(COMMANDS, args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env,
    stop: AbortSignal.timeout(60_000),
  });
  return { code: status, err, line: jsonLines(out)[0] ?? {} };
}

test.before(async () => {
  const made = await runCloud(["tenant", "create", "demo", "--data", dir, "--dev"]);
  assert.is(made.code, 0, made.err);
  cloud = await serveCloud(dir);
  for (const [user, role] of [
    ["olga", "operator"],
    ["sam", "support"],
    ["mia", "manager"],
    ["max", "manager"],
  ] as const)
    await addPerson(user, role);
});
test.after(async () => {
  await cloud.stop();
  rmSync(base, { recursive: true, force: true });
});

test("P-60 a key reads the tenant's data over the API, changes nothing, and ends when it is revoked", async () => {
  const issued = await run(undefined, ["key", "issue", "--for", "olga", "--reason", "a report"]);
  assert.is(issued.code, 0, issued.err);
  const ca = readFileSync(join(dir, "tls", "ca.pem"), "utf8");
  const headers = { authorization: `Bearer ${String(issued.line["key"])}` };
  const call = async (method: "GET" | "POST", path: string) => {
    const asked = { method, path: `/v1/tenants/demo${path}`, headers };
    return (await callApi(new URL(`https://localhost:${cloud.https}`), ca, asked)).status;
  };
  assert.is(await call("GET", "/vehicles"), 200);
  assert.is(await call("GET", "/events"), 200);
  assert.is(await call("POST", "/bookings"), 403);
  assert.is(await call("GET", "/people"), 403);
  const gone = await run(undefined, ["key", "revoke", "--request", String(issued.line["request"])]);
  assert.is(gone.code, 0, gone.err);
  assert.is(await call("GET", "/vehicles"), 401);
});

test("P-61 support: a ticket, a request, another person's approval, a query", async () => {
  const ticket = await run("olga", ["support", "ticket", "--words", "does not open"]);
  assert.is(ticket.code, 0, ticket.err);
  const words = ["--ticket", String(ticket.line["ticket"]), "--vehicle", "car-1", "--reason", "r"];
  const asked = await run("sam", ["support", "request", ...words]);
  assert.is(asked.code, 0, asked.err);
  const request = ["--request", String(asked.line["request"])];
  assert.is((await run("sam", ["support", "query", ...request])).code, 1, "not approved");
  assert.is((await run("sam", ["support", "approve", ...request])).code, 1, "not by support");
  assert.is((await run("mia", ["support", "approve", ...request], "wrong by design")).code, 1);
  assert.is((await run("mia", ["support", "approve", ...request])).code, 0);
  assert.is((await run("sam", ["support", "query", ...request])).code, 0);
});

test("P-61 who has a second factor stands behind a command with it only, each code once", async () => {
  const factor = randomBytes(20);
  const step = await addPerson("fay", "manager", factor);
  const words = ["vault", "request", "--name", "ingest/1", "--reason", "a move"];
  const next = codeAt(factor, step + 1);
  assert.is((await run("fay", words, PASSWORD, "000000")).code, 1);
  const asked = await run("fay", words, PASSWORD, next);
  assert.is(asked.code, 0, asked.err);
  assert.is((await run("fay", words, PASSWORD, next)).code, 1);
});

test("P-62 a table is read by the one whom a manager agreed to, without what is personal, until it is revoked", async () => {
  const asking = ["database", "request", "--reason", "a slow query", "--days", "2", "--table"];
  assert.is((await run("sam", [...asking, "subject_keys"])).code, 1, "another file");
  assert.is((await run("olga", [...asking, "access_requests"])).code, 1, "not by an operator");
  const asked = await run("sam", [...asking, "access_requests"]);
  assert.is(asked.code, 0, asked.err);
  const request = ["--request", String(asked.line["request"])];
  const read = () => run("sam", ["database", "read", ...request]);
  assert.is((await read()).code, 1, "not approved");
  assert.is((await run("mia", ["database", "approve", ...request])).code, 0);
  assert.is((await run("mia", ["database", "read", ...request])).code, 1, "another person's");
  const { code, line, err } = await read();
  assert.is(code, 0, err);
  assert.ok("kind" in line && "state" in line, JSON.stringify(line));
  for (const name of ["asked_by", "decided_by"]) assert.not(name in line, name);
  assert.is((await run("max", ["database", "revoke", ...request])).code, 0);
  assert.is((await read()).code, 1, "revoked");
});

test("P-23 a secret is read by one manager after another agreed, once", async () => {
  const asked = await run("mia", ["vault", "request", "--name", "ingest/1", "--reason", "a move"]);
  assert.is(asked.code, 0, asked.err);
  const request = ["--request", String(asked.line["request"])];
  assert.is((await run("mia", ["vault", "approve", ...request])).code, 1, "not by oneself");
  assert.is((await run("max", ["vault", "approve", ...request])).code, 0);
  assert.is((await run("max", ["vault", "read", ...request])).code, 1, "by who asked");
  const read = await run("mia", ["vault", "read", ...request]);
  assert.is(Buffer.from(String(read.line["secret"]), "base64url").length, 64);
  assert.is((await run("mia", ["vault", "read", ...request])).code, 1, "once");
});

test("P-31 the transit key is replaced while the cloud serves", async () => {
  const rotated = await run(undefined, ["vault", "rotate"]);
  assert.is(rotated.line["version"], 2, rotated.err);
});

/** As an auditor has it: the file, and heads that were kept somewhere else; nothing of the cloud. */
async function exportHolds(heads: string): Promise<void> {
  const taken = join(base, "taken.jsonl");
  const out: string[] = [];
  const cli = async (words: readonly string[]) => {
    out.length = 0;
    const code = await runCli(COMMANDS, [...words, "--json"], {
      out: (text) => out.push(text),
      err: (text) => out.push(text),
      env: {},
      stop: AbortSignal.timeout(60_000),
    });
    return { code, text: out.join("") };
  };
  const { code, text } = await cli(["audit", "export", "--data", dir, "--tenant", "demo"]);
  assert.is(code, 0, text);
  assert.match(text, /"action":"audit.export"/, "the export is in it itself");
  const lines = text.split("\n").filter((line) => line !== "");
  const checked = async (content: readonly string[], more: readonly string[] = []) => {
    writeFileSync(taken, content.join("\n"));
    const end = await cli(["audit", "verify", "--file", taken, ...more]);
    return [end.code, end.text];
  };
  const [held, told] = await checked(lines, ["--heads", heads]);
  assert.is(held, 0, String(told));
  assert.match(String(told), /"unanchored":0,"problems":\[\]/);
  const isEntry = (line: string): boolean => line.startsWith('{"seq"');
  const second = lines.findIndex((line) => line.startsWith('{"seq":2,'));
  const last = lines.findLastIndex(isEntry);
  const rows = [
    [
      "altered",
      lines.with(second, lines[second]?.replace('"actor":"', '"actor":"x') ?? ""),
      /entry 2: does not match/,
    ],
    ["left out", lines.toSpliced(second, 1), /entries 2 to 2: are missing/],
    ["the last one", lines.toSpliced(last, 1), /were anchored and are missing/],
    ["no trail", lines.slice(1), /line 1: expected owner/],
  ] as const;
  for (const [why, content, says] of rows) {
    const [ended, words] = await checked(content);
    assert.is(ended, 1, why);
    assert.match(String(words), says, why);
  }
  const cut = lines.slice(
    0,
    lines.findIndex((line) => line.startsWith('{"seq":4,')),
  );
  assert.is((await checked(cut))[0], 0, "an end that was cut off with its heads");
  assert.match(
    String((await checked(cut, ["--heads", heads]))[1]),
    /were anchored and are missing/,
  );
}

test("P-51 the key of the audit's heads is replaced while the cloud serves, and heads kept elsewhere hold", async () => {
  const heads = join(base, "heads");
  const copy = ["audit", "copy", "--to", heads, "--once"];
  const cli = async (words: readonly string[]) => {
    const { code, out, err } = await runCloud([...words, "--data", dir, "--json"]);
    return { code, err, line: jsonLines(out)[0] ?? {} };
  };
  const first = await cli(copy);
  assert.ok(Number(first.line["heads"]) > 0, first.err);
  const rotated = await run(undefined, ["audit", "rotate"]);
  assert.is(rotated.line["version"], 2, rotated.err);
  assert.is((await run(undefined, ["vault", "rotate"])).line["version"], 3);
  const own = await run(undefined, ["audit", "rotate", "--platform"]);
  assert.equal([own.line["trail"], own.line["version"]], ["platform", 2], own.err);
  const both = await run(undefined, ["audit", "rotate", "--platform", "--tenant", "demo"]);
  assert.is(both.code, 2, "one of them is to be named");
  assert.ok(Number((await cli(copy)).line["heads"]) > 0);
  const verify = ["audit", "verify", "--heads", heads];
  const verified = await run(undefined, verify);
  assert.equal([verified.code, verified.line["ok"]], [0, true], JSON.stringify(verified));
  const all = await cli(verify);
  assert.equal([all.code, all.line["trail"], all.line["ok"]], [0, "platform", true], all.err);
  await exportHolds(heads);
  const file = join(heads, "audit-heads.jsonl");
  const lines = readFileSync(file, "utf8").split("\n");
  // The trail as it is here is not the one whose heads are there.
  const forged = lines.map((line) =>
    line.replace(/("hash":")(.)/, (_, a, b) => a + (b === "0" ? "1" : "0")),
  );
  writeFileSync(file, forged.join("\n"));
  const other = await run(undefined, verify);
  assert.equal([other.code, other.line["ok"]], [1, false]);
  writeFileSync(file, "{}\n");
  assert.match((await run(undefined, verify)).err, /line 1: expected a signed head/);
});

test.run();
