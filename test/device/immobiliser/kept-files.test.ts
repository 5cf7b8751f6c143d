/** What the car keeps of itself, byte for byte: the next version of the agent reads what this one wrote. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  openCarRecord,
  openJournal,
  openPolicyStore,
  openTwoCopyFile,
} from "@kerbside/immobiliser";
import {
  type Command,
  DEFAULT_RENTAL_POLICY,
  encode,
  fromHex,
  rentalPolicyCodec,
  sha256,
  signArtefact,
  signingKey,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("kept files");
const folder = mkdtempSync(join(tmpdir(), "kerbside-kept-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function contentOf(name: string): Promise<string> {
  const file = await openTwoCopyFile(join(folder, name));
  await file.close();
  return toHex(file.content ?? new Uint8Array());
}

const COMMAND: Command = {
  id: new Uint8Array(16).fill(1),
  tenant: tenantId("t"),
  vehicle: vehicleId("v"),
  domain: "body",
  action: "unlock",
  epoch: new Uint8Array(16).fill(2),
  counter: 7,
  expiresAtMs: 1000,
  booking: "b-1",
};
const SENSED = { locked: "no", immobilised: "yes", doorsClosed: "unknown" } as const;

const ORDER =
  "0050010101010101010101010101010101010158200303030303030303030303030303030303030303030303030303030303030303020103a500010181a200616301617702a300010100020203617204f504f50563622d31";

test("the journal of commands", async () => {
  const journal = await openJournal(join(folder, "journal"));
  await journal.recordIntent(COMMAND, new Uint8Array(32).fill(3));
  await journal.recordArmed(COMMAND.id);
  await journal.recordResult(COMMAND.id, {
    status: "refused",
    unmet: [{ condition: "c", words: "w" }],
    sensed: SENSED,
    reason: "r",
    mayHaveSucceeded: true,
  });
  await journal.close();
  assert.is(await contentOf("journal"), `a200070181a7${ORDER}06f5`);
});

test("a journal of an agent that kept no mark of what was taken over: it owes nothing", async () => {
  const file = await openTwoCopyFile(join(folder, "older"));
  await file.write(fromHex(`a200070181a6${ORDER}`));
  await file.close();
  const journal = await openJournal(join(folder, "older"));
  assert.is(journal.damaged, false);
  assert.is(journal.find(COMMAND.id)?.verdict?.reason, "r");
  assert.equal(journal.owed(), []);
  await journal.close();
});

test("the car's record of itself", async () => {
  const record = await openCarRecord(join(folder, "car"));
  await record.keepSensed(SENSED);
  await record.keepRental({
    value: "open",
    booking: "b-1",
    openedBy: "card",
    credential: "c-7",
    phase: "parked",
  });
  await record.close();
  assert.is(await contentOf("car"), "a200a40063622d3101010263632d37030201a3000101000202");
});

test("the tenant's rental policy", async () => {
  const key = signingKey(new Uint8Array(32).fill(4));
  const content = encode(rentalPolicyCodec, { ...DEFAULT_RENTAL_POLICY, unstartedMs: 1000 });
  const store = await openPolicyStore(join(folder, "policy"), { tenant: tenantId("t") });
  const about = { tenant: tenantId("t"), kind: "rental", name: "rental", version: 3 } as const;
  const envelope = signArtefact(key, { ...about, contentHash: sha256(content) });
  await store.apply(verifyKey(key.publicKey), envelope, content);
  await store.close();
  assert.is(await contentOf("policy"), `a200030153${toHex(content)}`);
});

test.run();
