/** `kerbside-cloud` at the command line: words in, words and status out. */
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes, toHex } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CAR, CarLog } from "../../conformance/car-log.ts";
import { callCloud } from "../../support/cloud-call.ts";
import { jsonLines, runCloud } from "../../support/cloud-process.ts";
import { allBytes } from "../../support/tenant-engine.ts";

const test = suite<{ dir: string }>("command line");
const base = mkdtempSync(join(tmpdir(), "kerbside-cli-"));
const dir = join(base, "cloud");
const data = ["--data", dir];

test.before(async () => {
  const made = await runCloud(["tenant", "create", "demo", ...data, "--dev", "--json"]);
  assert.is(made.code, 0, made.err);
});
test.after(() => rmSync(base, { recursive: true, force: true }));

test("says how it is used", async () => {
  const all = await runCloud(["--help"]);
  assert.is(all.code, 0);
  for (const name of ["serve", "tenant create", "vehicle enrol", "command send", "audit verify"])
    assert.match(all.out, name);
  const group = await callCloud(["tenant", "--help"]);
  assert.match(group.out, "tenant remove");
  assert.not.match(group.out, "vehicle");
  const one = await callCloud(["vehicle", "enrol", "--help"]);
  assert.match(one.out, /--profile PROFILE .*required/);
});

test("what is used wrongly ends with 2 and one line that names it", async () => {
  const rows: readonly [words: readonly string[], says: RegExp][] = [
    [[], /a command is missing/],
    [["nonsense"], /no command nonsense/],
    [["tenant"], /no command tenant/],
    [["tenant", "create", ...data], /expected TENANT/],
    [["tenant", "create", "Demo!", ...data], /tenant id: expected/],
    [["tenant", "create", "a", "b", ...data], /expected TENANT, got 2 words/],
    [["tenant", "list", "--nonsense"], /--nonsense/],
    [["tenant", "remove", "demo", ...data], /expected --yes/],
    [["events", ...data], /--tenant TENANT is missing/],
    [["events", "--tenant", "demo", "--vehicle", "../x", ...data], /vehicle id: expected/],
    [["feed", "--tenant", "demo", "--after", "x1", ...data], /--after: expected a whole number/],
    [["serve", "--https-port", "99999", ...data], /--https-port: expected a whole number/],
    [
      ["command", "send", "--tenant", "demo", "--vehicle", "c", "--action", "fly", ...data],
      /--action expects one of/,
    ],
  ];
  for (const [words, says] of rows) {
    const { code, out, err } = await callCloud(words);
    assert.is(code, 2, words.join(" "));
    assert.is(out, "");
    assert.match(err, says);
    assert.is(err.trim().split("\n").length, 1, err);
  }
});

test("what fails ends with 1 and one line that names it", async () => {
  const damaged = join(base, "damaged");
  await callCloud(["tenant", "list", "--data", damaged, "--dev"]);
  rmSync(join(damaged, "platform.sqlite-wal"), { force: true });
  writeFileSync(join(damaged, "platform.sqlite"), "no database at all, but long enough to be read");
  const key = (bytes: number): string => Buffer.from(randomBytes(bytes)).toString("base64url");
  const rows: readonly [words: readonly string[], says: RegExp, env?: Record<string, string>][] = [
    [["tenant", "create", "demo", ...data], /tenant demo: is there already/],
    [["events", "--tenant", "nobody", ...data], /tenant nobody: is not there/],
    [
      ["tenant", "list", "--data", join(base, "none")],
      /master-key: expected it in KERBSIDE_MASTER/,
    ],
    [
      ["tenant", "list", "--data", join(base, "none")],
      /platform\.sqlite: there is no such file/,
      { KERBSIDE_MASTER_KEY: key(32) },
    ],
    [
      ["serve", "--webhook-ca", join(base, "none.pem"), ...data],
      /none\.pem: there is no such file/,
    ],
    [["serve", "--webhook-ca", base, ...data], /expected a file, found a directory/],
    [
      ["tenant", "list", ...data],
      /KERBSIDE_MASTER_KEY: expected 32 bytes/,
      { KERBSIDE_MASTER_KEY: key(31) },
    ],
    [["tenant", "list", ...data], /is not sealed by this key/, { KERBSIDE_MASTER_KEY: key(32) }],
    [["tenant", "list", "--data", damaged], /platform\.sqlite: is damaged/],
    [
      ["vehicle", "revoke", "--tenant", "demo", "--vehicle", "c", ...data],
      /vehicle c: is not there/,
    ],
    [
      [
        "command",
        "send",
        "--tenant",
        "demo",
        "--vehicle",
        "c",
        "--action",
        "lock",
        ...data,
        "--url",
        "https://localhost:1",
      ],
      /nothing listens at https:\/\/localhost:1/,
    ],
  ];
  for (const [words, says, env] of rows) {
    const { code, err } = await callCloud(words, env);
    assert.is(code, 1, `${words.join(" ")}: ${err}`);
    assert.match(err, says);
    assert.is(err.trim().split("\n").length, 1, err);
  }
});

test("a directory that cannot be written gets one line", async () => {
  const file = join(base, "a-file");
  writeFileSync(file, "");
  const { code, err } = await callCloud(["tenant", "list", "--data", join(file, "x"), "--dev"]);
  assert.is(code, 1);
  assert.is(err.trim().split("\n").length, 1, err);
  if (process.getuid?.() === 0) return; // root writes anywhere
  const closed = mkdtempSync(join(base, "closed-"));
  chmodSync(closed, 0o500);
  const refused = await callCloud(["tenant", "list", "--data", join(closed, "x"), "--dev"]);
  assert.is(refused.code, 1);
  assert.match(refused.err, /is not writable/);
});

test("P-03 secrets are in files of their owner and in no output", async () => {
  const made = await callCloud(["tenant", "create", "second", ...data, "--dev"]);
  assert.is(made.code, 0, made.err);
  for (const name of ["master-key", "signer-key", "client-second-backend", "authority-second"]) {
    const file = join(dir, "secrets", name);
    assert.is(statSync(file).mode & 0o777, 0o600, name);
    assert.not.match(made.out + made.err, readFileSync(file, "utf8").trim());
  }
  const authority = readFileSync(join(dir, "secrets", "authority-second"), "utf8").trim();
  const held = allBytes(join(dir, "tenants"));
  assert.not(
    held.includes(Buffer.from(authority, "base64url")),
    "the authority key is held nowhere",
  );
  const removed = await callCloud(["tenant", "remove", "second", "--yes", ...data]);
  assert.is(removed.code, 0, removed.err);
  const { out } = await callCloud(["tenant", "list", ...data]);
  assert.match(out, /^demo {2}local {2}ready {2}cars 20000, [^\n]*\n$/);
});

test("P-03 a key may lie among systemd's credentials, and then counts before the directory's own", async () => {
  const credentials = mkdtempSync(join(base, "credentials-"));
  const [there, here] = [join(credentials, "master-key"), join(dir, "secrets", "master-key")];
  const list = ["tenant", "list", ...data];
  renameSync(here, there);
  try {
    const without = await callCloud(list);
    assert.is(without.code, 1);
    assert.match(without.err, /master-key: expected it in KERBSIDE_MASTER_KEY or in the file/);
    const env = { CREDENTIALS_DIRECTORY: credentials };
    assert.is((await callCloud(list, env)).code, 0);
    const other = Buffer.from(randomBytes(32)).toString("base64url");
    writeFileSync(here, other, { mode: 0o600 });
    assert.is((await callCloud(list)).code, 1, "another key");
    assert.is((await callCloud(list, env)).code, 0);
  } finally {
    renameSync(there, here);
  }
});

test("vehicle enrol prints a one-time token, and takes the demo's directory too", async () => {
  const words = ["vehicle", "enrol", "--tenant", "demo", "--vehicle", "car-1", "--profile", "p-1"];
  const { code, out, err } = await callCloud([...words, "--data", base, "--json"]);
  assert.is(code, 0, err);
  const [line] = jsonLines(out);
  assert.is(line?.["vehicle"], "car-1");
  assert.match(String(line?.["token"]), /^[\w-]{43}$/);
  assert.not(allBytes(dir).includes(String(line?.["token"])));
});

async function registryOf(): ReturnType<typeof openRegistry> {
  const masterKey = readFileSync(join(dir, "secrets", "master-key"), "utf8");
  return openRegistry({ dir, masterKey: new Uint8Array(Buffer.from(masterKey, "base64url")) });
}

test("events prints every event and gap in order, page by page", async () => {
  const registry = await registryOf();
  const log = new CarLog();
  const store = (await registry.tenant("demo"))?.store;
  const events = Array.from({ length: 1500 }, (_, i) => log.note(i, `n${i}`));
  await store?.commitSegments([
    log.gone("critical", 2),
    log.next("state", events),
    log.next("track", [log.position(5)]),
  ]);
  await store?.quarantine({
    reason: "signature",
    topic: "kb/v1/demo/x/up/state",
    payload: randomBytes(3),
  });
  for (const successor of [new CarLog(), new CarLog()])
    await store?.putOpening(successor.opening(log));
  await registry.close();
  const { code, out, err } = await callCloud(["events", "--tenant", "demo", ...data, "--json"]);
  assert.is(code, 0, err);
  const lines = jsonLines(out);
  const at = { vehicle: CAR, log: toHex(log.log) };
  assert.equal(lines[0], { ...at, lane: "critical", gap: [1, 2] });
  assert.equal(
    lines.slice(1, -1).map((line) => line["seq"]),
    events.map((_, i) => i + 1),
  );
  assert.equal(lines.at(-1), {
    ...at,
    lane: "track",
    seq: 1,
    at: new Date(log.wallOffsetMs + 5).toISOString(),
    kind: "position.sampled",
    data: { latitude: 52.5, longitude: 13.4, speedKmh: 30 },
  });
  const none = await callCloud(["events", "--tenant", "demo", "--vehicle", "car-9", ...data]);
  assert.equal([none.code, none.out], [0, ""]);
  const words = await callCloud(["events", "--tenant", "demo", ...data]);
  assert.match(words.out, /1–2 are gone, as the car declared/);
  const feed = await callCloud(["feed", "--tenant", "demo", ...data, "--json"]);
  assert.equal(
    jsonLines(feed.out).map(({ cursor, topic, id }) => [cursor, topic, id]),
    [
      [1, "events", CAR],
      [2, "vehicle", CAR],
    ],
  );
  const alarms = jsonLines(
    (await callCloud(["alarms", "--tenant", "demo", ...data, "--json"])).out,
  );
  assert.equal(
    alarms.map(({ id, vehicle, kind }) => [id, vehicle, kind]),
    [[1, CAR, "successors"]],
  );
  const quarantine = await callCloud(["quarantine", "--tenant", "demo", ...data, "--json"]);
  assert.is(jsonLines(quarantine.out)[0]?.["bytes"], 3);
});

test("quarantine: what is no segment is shown as what it is, and stays when it is handed in", async () => {
  const at = ["--tenant", "demo", ...data];
  const list = await callCloud(["quarantine", "list", ...at, "--json"]);
  const id = String(jsonLines(list.out)[0]?.["id"]);
  const show = await callCloud(["quarantine", "show", id, ...at]);
  assert.match(show.out, /put aside: signature\nno header of a segment can be read in it\n$/);
  const again = await callCloud(["quarantine", "redrive", ...at, "--json"]);
  assert.equal([again.code, jsonLines(again.out).length], [1, 1], again.err);
  const neither = await callCloud(["quarantine", "discard", ...at]);
  assert.is(neither.code, 2);
  const other = await callCloud(["quarantine", "discard", "--vehicle", "car-9", ...at]);
  assert.is(other.out, "", "of another car nothing is taken");
  const gone = await callCloud(["quarantine", "discard", "--id", id, ...at]);
  assert.match(gone.out, /is discarded/);
  assert.is((await callCloud(["quarantine", "show", id, ...at])).code, 1);
  const none = await callCloud(["quarantine", "show", "999", ...at]);
  assert.equal([none.code, none.out], [1, ""]);
  assert.match(none.err, /there is no message 999/);
  const wrong = await callCloud(["quarantine", "redrive", "--id", "x", ...at]);
  assert.is(wrong.code, 2);
});

test("P-52 whoever prints events, or looks into quarantine, is in the audit trail before anything is shown", async () => {
  const registry = await registryOf();
  const trail = (await (await registry.tenant("demo"))?.store.auditTrail(0, 1000)) ?? [];
  await registry.close();
  const reads = trail.filter(({ action }) => action.startsWith("read."));
  assert.equal(
    reads.map(({ action, subject }) => `${action} ${subject}`),
    [
      // Of the tests above: what was refused is not here.
      "read.events tenant:demo",
      "read.events vehicle:car-9",
      "read.events tenant:demo",
      "read.quarantine quarantine:all",
      "read.quarantine quarantine:all",
      "read.quarantine quarantine:1",
    ],
  );
  assert.ok(reads.every(({ actor }) => actor.length > 0));
});

test("P-51 audit verify holds all trails", async () => {
  const { code, out, err } = await callCloud(["audit", "verify", ...data, "--json"]);
  assert.is(code, 0, err);
  const trails = jsonLines(out);
  assert.equal(
    trails.map((line) => [line["trail"], line["ok"], line["unanchored"]]),
    [
      ["platform", true, 0],
      ["demo", true, 0],
    ],
  );
  const only = await callCloud(["audit", "verify", "--tenant", "demo", ...data]);
  assert.match(only.out, /^demo: \d+ entries, 0 not yet anchored: ok\n$/);
});

test.run();
