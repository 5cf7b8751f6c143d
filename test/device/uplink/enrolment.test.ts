/** Joining a tenant over HTTPS: keys stay in the car, files are private and whole, the authority is pinned. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import { enrol, loadIdentity } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS } from "../../support/car-cloud.ts";
import { type Line, line, TOKEN } from "./harness.ts";

let l: Line;
let dir: string;
test.before(async () => {
  l = await line();
});
test.after(() => l.close());
test.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), "kerbside-enrol-"));
});
test.after.each(() => rmSync(dir, { recursive: true, force: true }));

const ask = (change: object = {}): ReturnType<typeof enrol> =>
  enrol({ dir, address: ADDRESS, url: l.enrolUrl, ca: l.rootCa, token: TOKEN, ...change });

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.catch((e: unknown) => e);
  return error instanceof ProtocolError ? error.code : undefined;
}

test("P-03 leaves private files of mode 0600, no drafts and no token", async () => {
  const identity = await ask();
  assert.is(identity.address.vehicle, ADDRESS.vehicle);
  const files = readdirSync(dir).sort();
  assert.equal(files, ["device.key", "identity.json", "signing.seed"]);
  for (const file of files) {
    assert.is(statSync(join(dir, file)).mode & 0o777, 0o600, file);
    assert.not(readFileSync(join(dir, file)).includes(TOKEN), file);
  }
});

test("is done once: the second time the files answer, without the cloud", async () => {
  const first = await ask();
  const second = await ask({ url: "https://127.0.0.1:1" });
  assert.equal(second.signingKey.publicKey, first.signingKey.publicKey);
});

test("after an answer that got lost, the same keys ask again", async () => {
  assert.is(await codeOf(ask({ url: "https://127.0.0.1:1" })), "unavailable");
  const seed = readFileSync(join(dir, "signing.seed"));
  assert.is(loadIdentity(dir), undefined);
  await ask();
  assert.equal(readFileSync(join(dir, "signing.seed")), seed);
});

test("P-01 a server that the given authority does not vouch for is refused", async () => {
  const other = await line();
  try {
    assert.is(await codeOf(ask({ ca: other.rootCa })), "unavailable");
  } finally {
    await other.close();
  }
});

test("a token that is not good for it is refused, and named no further", async () => {
  const error = await ask({ token: "secret-of-another" }).catch((e: unknown) => e);
  assert.ok(error instanceof ProtocolError && error.code === "forbidden");
  assert.not(error.message.includes("secret-of-another"));
});

test("files that were changed are refused when they are read", async () => {
  await ask();
  const file = join(dir, "identity.json");
  const good = JSON.parse(readFileSync(file, "utf8"));
  const rows: readonly { why: string; change: object; code: string }[] = [
    {
      why: "another authority",
      change: { authorityKey: Buffer.alloc(32, 9).toString("base64url") },
      code: "unauthenticated",
    },
    { why: "keys for another tenant", change: { tenant: "other" }, code: "forbidden" },
    { why: "no broker", change: { broker: {} }, code: "malformed" },
    {
      why: "a key that serves another purpose",
      change: {
        keyCertificates: {
          command: good.keyCertificates.ingest,
          ingest: good.keyCertificates.ingest,
        },
      },
      code: "forbidden",
    },
  ];
  for (const { why, change, code } of rows) {
    writeFileSync(file, JSON.stringify({ ...good, ...change }));
    assert.throws(
      () => loadIdentity(dir),
      (e: unknown) => e instanceof ProtocolError && e.code === code,
      why,
    );
  }
});

test.run();
