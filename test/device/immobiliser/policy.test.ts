/** The tenant's rental policy on the car: whole or not at all, never older, another tenant's or unsigned. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPolicyStore, openTwoCopyFile } from "@kerbside/immobiliser";
import {
  type ArtefactKind,
  DEFAULT_RENTAL_POLICY,
  encode,
  type RentalPolicy,
  randomBytes,
  rentalPolicyCodec,
  sha256,
  signArtefact,
  signingKey,
  tenantId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const KEY = signingKey(randomBytes(32));
const TRUSTED = verifyKey(KEY.publicKey);
const OURS = { tenant: tenantId("ours") };

const policyOf = (unstartedMs: number): RentalPolicy => ({ ...DEFAULT_RENTAL_POLICY, unstartedMs });
function push(
  version: number,
  content: Uint8Array,
  { tenant, kind }: { tenant: string; kind: ArtefactKind } = { tenant: "ours", kind: "rental" },
): Uint8Array {
  const name = "rental";
  const contentHash = sha256(content);
  return signArtefact(KEY, { tenant: tenantId(tenant), kind, name, version, contentHash });
}
const bytesOf = (policy: RentalPolicy): Uint8Array => encode(rentalPolicyCodec, policy);

async function rejects(work: Promise<unknown>, code: string): Promise<void> {
  try {
    await work;
  } catch (error) {
    assert.match(JSON.stringify(error, ["code"]), code);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

test("a newer one applies and outlives a start; the last good one stays whatever is pushed", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "kerbside-policy-")), "rental");
  const store = await openPolicyStore(path, OURS);
  assert.is(store.version(), 0);
  assert.is(store.policy(), DEFAULT_RENTAL_POLICY);
  const second = bytesOf(policyOf(2000));
  await store.apply(TRUSTED, push(2, second), second);
  assert.is(store.policy().unstartedMs, 2000);
  const other = bytesOf(policyOf(1));
  await store.apply(TRUSTED, push(2, second), second);
  assert.is(store.policy().unstartedMs, 2000, "the same again is no conflict");
  await rejects(store.apply(TRUSTED, push(2, other), other), "conflict");
  await store.apply(TRUSTED, push(2, other), other).then(
    () => assert.unreachable(),
    (error) => assert.match(error.message, "version 2 is not above 2"),
  );
  await rejects(store.apply(TRUSTED, push(1, other), other), "conflict");
  await rejects(store.apply(TRUSTED, push(1, second), second), "conflict");
  await rejects(store.apply(TRUSTED, push(3, other), second), "unauthenticated");
  const stranger = verifyKey(signingKey(randomBytes(32)).publicKey);
  await rejects(store.apply(stranger, push(3, other), other), "unauthenticated");
  const theirs = push(3, other, { tenant: "theirs", kind: "rental" });
  await rejects(store.apply(TRUSTED, theirs, other), "forbidden");
  const scheme = push(3, other, { tenant: "ours", kind: "scheme" });
  await rejects(store.apply(TRUSTED, scheme, other), "forbidden");
  const rubbish = Uint8Array.of(0xff);
  await rejects(store.apply(TRUSTED, push(3, rubbish), rubbish), "malformed");
  await store.close();
  const again = await openPolicyStore(path, OURS);
  assert.is(again.version(), 2);
  assert.is(again.policy().unstartedMs, 2000);
  await again.close();
});

test("a file that is whole but no policy: the shipped one is in force, and a push mends it", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "kerbside-policy-")), "rental");
  const file = await openTwoCopyFile(path);
  await file.write(Uint8Array.of(0xff));
  await file.close();
  const store = await openPolicyStore(path, OURS);
  assert.is(store.policy(), DEFAULT_RENTAL_POLICY);
  const first = bytesOf(policyOf(1000));
  await store.apply(TRUSTED, push(1, first), first);
  assert.is(store.version(), 1);
  await store.close();
});

test.run();
