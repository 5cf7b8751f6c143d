import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  openSchemeShelf,
  readShippedProfile,
  SCHEME_BYTES_MAX,
  type SchemeShelf,
} from "@kerbside/can";
import {
  type ArtefactKind,
  randomBytes,
  type SigningKey,
  sha256,
  signArtefact,
  signingKey,
  tenantId,
  utf8,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const { profile } = readShippedProfile("kerbside-sim");
const signer = signingKey(randomBytes(32));
const stranger = signingKey(randomBytes(32));

type Push = readonly [envelope: Uint8Array, content: Uint8Array];
type Made = {
  readonly name?: string;
  readonly version?: number;
  readonly everyMs?: number;
  readonly signedVersion?: number;
  readonly tenant?: string;
  readonly kind?: ArtefactKind;
  readonly key?: SigningKey;
  readonly filler?: number;
};

function push(made: Made = {}): Push {
  const { name = "a", version = 1, everyMs = 1000 } = made;
  const rule = { name: "r", on: "periodic", everyMs, signals: ["Vehicle.Speed"] };
  const text = JSON.stringify({ format: 1, name, version, priority: 1, rules: [rule] });
  const content = utf8(text + " ".repeat(made.filler ?? 0));
  const envelope = signArtefact(made.key ?? signer, {
    tenant: tenantId(made.tenant ?? "demo"),
    kind: made.kind ?? "scheme",
    name,
    version: made.signedVersion ?? version,
    contentHash: sha256(content),
  });
  return [envelope, content];
}

const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-shelf-"));
  folders.push(folder);
  return folder;
}
const open = (dir: string): Promise<SchemeShelf> =>
  openSchemeShelf({ dir, tenant: "demo", profile });
const key = verifyKey(signer.publicKey);
const shown = (shelf: SchemeShelf): string =>
  shelf
    .schemes()
    .map(({ scheme }) => `${scheme.name}/${scheme.version}`)
    .sort()
    .join(" ");

async function refusal(promise: Promise<boolean>): Promise<string> {
  return promise.then(
    () => "taken",
    (error: unknown) => {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      return code || String(error);
    },
  );
}

test("a pushed scheme is kept, outlives a restart, and takes the place of one of its name", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  assert.is(shown(shelf), "car-sharing/1", "what comes with the agent");
  await shelf.accept(key, ...push());
  await shelf.accept(key, ...push({ name: "car-sharing", version: 7 }));
  assert.is(shown(shelf), "a/1 car-sharing/7");
  assert.is(shown(await open(dir)), "a/1 car-sharing/7");
});

test("what is older, forged, of another or wrong is refused, and changes nothing", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  await shelf.accept(key, ...push({ version: 5 }));
  const [envelope] = push({ version: 6 });
  const rows: readonly [why: string, pushed: Push, expected: RegExp][] = [
    ["the same again", push({ version: 5 }), /taken/],
    ["an older one", push({ version: 4 }), /conflict/],
    ["another of that version", push({ version: 5, everyMs: 2000 }), /conflict/],
    ["signed by a stranger", push({ version: 6, key: stranger }), /unauthenticated/],
    ["for another tenant", push({ version: 6, tenant: "other" }), /unauthenticated/],
    ["of another kind", push({ version: 6, kind: "flow" }), /unauthenticated/],
    ["another content", [envelope, utf8("{}")], /unauthenticated/],
    ["no envelope", [utf8("x"), utf8("{}")], /malformed/],
    ["signed as another version", push({ version: 6, signedVersion: 9 }), /malformed/],
    ["a scheme that is wrong", push({ version: 6, everyMs: 1 }), /everyMs/],
    ["too long", push({ version: 6, filler: SCHEME_BYTES_MAX }), /malformed/],
  ];
  const before = readdirSync(dir).map((file) => readFileSync(join(dir, file), "hex"));
  for (const [why, pushed, expected] of rows) {
    assert.match(await refusal(shelf.accept(key, ...pushed)), expected, why);
    assert.is(shown(shelf), "a/5 car-sharing/1", why);
  }
  assert.equal(
    readdirSync(dir).map((file) => readFileSync(join(dir, file), "hex")),
    before,
  );
});

test("any damage to the present file gives way to the one before, and that to what is shipped", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  await shelf.accept(key, ...push({ name: "car-sharing", version: 2 }));
  await shelf.accept(key, ...push({ name: "car-sharing", version: 3 }));
  const file = join(dir, "car-sharing.scheme");
  const whole = readFileSync(file);
  for (let at = 0; at < whole.length; at += 7) {
    const spoiled = Buffer.from(whole);
    spoiled[at] = (spoiled[at] ?? 0) ^ 0x20;
    writeFileSync(file, spoiled);
    const again = await open(dir);
    assert.is(shown(again), "car-sharing/2", `byte ${at}`);
    assert.is(again.damaged[0]?.file, "car-sharing.scheme");
  }
  writeFileSync(file, whole.subarray(0, 10));
  writeFileSync(join(dir, "car-sharing.before"), "");
  assert.is(shown(await open(dir)), "car-sharing/1");
});

test("a write that was cut off before its end is as if it had not been", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  await shelf.accept(key, ...push({ version: 1 }));
  writeFileSync(join(dir, "a.new"), "half of it");
  assert.is(shown(await open(dir)), "a/1 car-sharing/1");
  // Between the two renamings: the present file is the one before, and there is no other.
  await shelf.accept(key, ...push({ version: 2 }));
  rmSync(join(dir, "a.scheme"));
  assert.is(shown(await open(dir)), "a/1 car-sharing/1");
});

test("a scheme stays when the tenant's key is replaced, and then only the new key counts", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  await shelf.accept(key, ...push({ version: 1 }));
  const next = verifyKey(stranger.publicKey);
  assert.is(await refusal(shelf.accept(next, ...push({ version: 2 }))), "unauthenticated");
  await shelf.accept(next, ...push({ name: "b", version: 1, key: stranger }));
  assert.is(shown(await open(dir)), "a/1 b/1 car-sharing/1");
});

test("schemes that come at once are taken one after another", async () => {
  const shelf = await open(newFolder());
  const versions = [3, 1, 2, 4];
  const outcomes = await Promise.all(
    versions.map((version) => refusal(shelf.accept(key, ...push({ version })))),
  );
  assert.equal(outcomes, ["taken", "conflict", "conflict", "taken"]);
  assert.is(shown(shelf), "a/4 car-sharing/1");
});

test.run();
