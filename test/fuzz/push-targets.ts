/** What the cloud pushes, and what the car has kept of it on its disk: taken whole, or refused with the last good kept. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSchemeShelf, ProfileError, readShippedProfile, unpackProfile } from "@kerbside/can";
import {
  encodeCbor,
  ProtocolError,
  packProfile,
  randomBytes,
  sha256,
  signArtefact,
  signingKey,
  tenantId,
  utf8,
} from "@kerbside/protocol";
import type { Random } from "./random.ts";
import { type FuzzTarget, spoil } from "./target.ts";

const FOLDER = new URL("../../device/can/profiles/kerbside-sim/", import.meta.url);
const installed = readShippedProfile("kerbside-sim");
const files = ["profile.json", ...installed.profile.dbc];
const [document, ...dbcs] = files.map(
  (file) => new Uint8Array(readFileSync(new URL(file, FOLDER))),
);
const PACKED = packProfile(
  document ?? new Uint8Array(0),
  new Map(installed.profile.dbc.map((file, i) => [file, dbcs[i] ?? new Uint8Array(0)])),
);
const PACKED_WORDS = [
  "\x82",
  "\x80",
  "\x9f",
  "\xff",
  "\x5b",
  "\x1b",
  "kerbside-sim.dbc",
  "../x",
  "\xf6",
];

function fuzzPackedProfile(random: Random): void {
  // An offset of the envelope is spoilt far less often than the texts in it, unless it is asked for.
  const head = random.bool() ? 64 : PACKED.length;
  const bytes = Buffer.concat([
    spoil(random, PACKED.subarray(0, head), PACKED_WORDS),
    PACKED.subarray(head),
  ]);
  try {
    const { profile } = unpackProfile("f", bytes);
    assert.ok(profile.name !== "");
  } catch (error) {
    if (error instanceof ProtocolError) assert.equal(error.code, "malformed");
    else if (!(error instanceof ProfileError)) throw error;
  }
}

const key = signingKey(randomBytes(32));
const rule = { name: "r", on: "periodic", everyMs: 1000, signals: ["Vehicle.Speed"] };

/** A file of a shelf: envelope, content and the key that it was accepted under. */
function kept(version: number): Uint8Array {
  const scheme = { format: 1, name: "a", version, priority: 1, rules: [rule] };
  const content = utf8(JSON.stringify(scheme));
  const contentHash = sha256(content);
  const tenant = tenantId("demo");
  const manifest = { tenant, kind: "scheme", name: "a", version, contentHash } as const;
  const envelope = signArtefact(key, manifest);
  return encodeCbor([envelope, content, key.publicKey]);
}

const PRESENT = kept(2);
const BEFORE = kept(1);
const SHELF_WORDS = ["\x83", "\x58", "\x00", "\xff", "scheme", '"version":3', "a"];

/** A disk that lies: the present file is spoilt, and now and then the one before as well. */
async function fuzzShelf(random: Random): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-fuzz-"));
  try {
    const worst = random.bool(0.2);
    writeFileSync(join(dir, "a.scheme"), spoil(random, PRESENT, SHELF_WORDS));
    writeFileSync(join(dir, "a.before"), worst ? spoil(random, BEFORE, SHELF_WORDS) : BEFORE);
    if (random.bool(0.1)) writeFileSync(join(dir, "a.new"), random.bytes(random.int(50)));
    const shelf = await openSchemeShelf({ dir, tenant: "demo", profile: installed.profile });
    const found = shelf.schemes().find(({ scheme }) => scheme.name === "a");
    // What was signed is what is used: nothing of a damaged file gets through.
    assert.ok(found === undefined ? worst : [1, 2].includes(found.scheme.version));
    assert.ok(found === undefined || found.scheme.rules.length === 1);
    assert.ok(found?.scheme.version === 2 || shelf.damaged.length > 0);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export const pushTargets: readonly FuzzTarget[] = [
  {
    name: "pushed-profile",
    why: "a pushed profile is compiled, or refused",
    run: fuzzPackedProfile,
  },
  {
    name: "shelf",
    why: "of damaged files the last good one is used, and never what nobody signed",
    run: fuzzShelf,
  },
];
