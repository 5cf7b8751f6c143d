import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openProfileShelf, readShippedProfile } from "@kerbside/can";
import {
  packProfile,
  randomBytes,
  sha256,
  signArtefact,
  signingKey,
  tenantId,
  utf8,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const SHIPPED = fileURLToPath(
  new URL("../../../device/can/profiles/kerbside-sim/", import.meta.url),
);
const signer = signingKey(randomBytes(32));
const key = verifyKey(signer.publicKey);
const installed = readShippedProfile("kerbside-sim");
const { name, version: installedVersion } = installed.profile;

type Made = { readonly version: number; readonly name?: string; readonly json?: string };
type Pushed = readonly [Uint8Array, Uint8Array];

function push({ version, json, name: pushedName = name }: Made): Pushed {
  const document = { ...JSON.parse(readFileSync(`${SHIPPED}profile.json`, "utf8")), version };
  const dbcs = new Map(
    installed.profile.dbc.map((file) => [file, new Uint8Array(readFileSync(SHIPPED + file))]),
  );
  const content = packProfile(utf8(json ?? JSON.stringify(document)), dbcs);
  const contentHash = sha256(content);
  const manifest = {
    tenant: tenantId("demo"),
    kind: "profile",
    name: pushedName,
    version,
  } as const;
  return [signArtefact(signer, { ...manifest, contentHash }), content];
}

const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-profile-"));
  folders.push(folder);
  return folder;
}
const open = (dir: string): ReturnType<typeof openProfileShelf> =>
  openProfileShelf({ dir, tenant: "demo", installed });
const inForce = async (dir: string): Promise<number> => (await open(dir)).profile.profile.version;

test("a pushed profile takes effect at the next start, not before", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  assert.ok(await shelf.accept(key, ...push({ version: installedVersion + 1 })));
  assert.is(shelf.profile, installed, "nothing changes under a car in use");
  const next = await open(dir);
  assert.is(next.profile.profile.version, installedVersion + 1);
  assert.equal(
    next.profile.messages.map((message) => message.name),
    installed.messages.map((message) => message.name),
  );
});

test("a damaged profile gives way to the one before, and that to the installed one", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  await shelf.accept(key, ...push({ version: installedVersion + 1 }));
  await shelf.accept(key, ...push({ version: installedVersion + 2 }));
  assert.is(await inForce(dir), installedVersion + 2);
  writeFileSync(join(dir, `${name}.profile`), "damaged");
  assert.is(await inForce(dir), installedVersion + 1);
  writeFileSync(join(dir, `${name}.before`), "damaged");
  assert.is(await inForce(dir), installedVersion);
});

test("a pushed profile that a newer installation has overtaken is not used, and is no damage", async () => {
  const dir = newFolder();
  const before = await open(dir);
  await before.accept(key, ...push({ version: installedVersion + 1 }));
  const profile = { ...installed.profile, version: installedVersion + 2 };
  const newer = { ...installed, profile };
  const shelf = await openProfileShelf({ dir, tenant: "demo", installed: newer });
  assert.is(shelf.profile, newer);
  assert.equal(shelf.damaged, []);
  assert.ok(await shelf.accept(key, ...push({ version: installedVersion + 3 })));
});

test("what is not newer, of another model or wrong is refused, and changes nothing", async () => {
  const dir = newFolder();
  const shelf = await open(dir);
  const version = installedVersion + 1;
  const rows: readonly [why: string, pushed: Pushed, expected: RegExp][] = [
    ["the installed version", push({ version: installedVersion }), /conflict/],
    ["another model", push({ version, name: "other" }), /forbidden/],
    ["no document", push({ version, json: "{" }), /JSON|expected|parse/i],
    ["an empty document", push({ version, json: "{}" }), /format|required|expected/i],
    [
      "a document of another version",
      push({ version, json: documentOf(version + 1) }),
      /malformed/,
    ],
  ];
  for (const [why, pushed, expected] of rows) {
    const refusal = await shelf.accept(key, ...pushed).then(
      () => "taken",
      (error: unknown) => `${error instanceof Error && "code" in error ? error.code : ""} ${error}`,
    );
    assert.match(refusal, expected, why);
    assert.is.not(refusal, "taken", why);
  }
  assert.is(await inForce(dir), installedVersion);
});

function documentOf(version: number): string {
  const text = readFileSync(`${SHIPPED}profile.json`, "utf8");
  return JSON.stringify({ ...JSON.parse(text), version });
}

test.run();
