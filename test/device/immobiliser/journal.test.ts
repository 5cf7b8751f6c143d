/** The two-copy store and the journal in it: whatever is cut or flipped, one whole copy counts. */
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ORDERS_MAX, openJournal, openTwoCopyFile, type Verdict } from "@kerbside/immobiliser";
import { type Command, tenantId, utf8, vehicleId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), "kerbside-journal-"));
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

function command(counter: number): Command {
  return {
    id: new Uint8Array(16).fill(counter),
    tenant: tenantId("t"),
    vehicle: vehicleId("v"),
    domain: "body",
    action: "lock",
    epoch: new Uint8Array(16),
    counter,
    expiresAtMs: 1000,
  };
}
const verdict: Verdict = {
  status: "executed",
  unmet: [],
  sensed: { locked: "yes", immobilised: "no", doorsClosed: "yes" },
  mayHaveSucceeded: true,
};

test("a write cut at any byte leaves the one before or this one, never neither", async () => {
  const path = join(await folder(), "file");
  const file = await openTwoCopyFile(path);
  await file.write(utf8("first"));
  await file.write(utf8("second"));
  await file.close();
  const second = readFileSync(`${path}.b`);
  for (let cut = 0; cut < second.length; cut += 1) {
    writeFileSync(`${path}.b`, second.subarray(0, cut));
    const again = await openTwoCopyFile(path);
    assert.is(text(again.content), "first", `cut at ${cut}`);
    await again.close();
  }
  writeFileSync(`${path}.b`, second);
});

test("every flipped bit of the newer copy is noticed", async () => {
  const path = join(await folder(), "file");
  const file = await openTwoCopyFile(path);
  await file.write(utf8("first"));
  await file.write(utf8("second"));
  await file.close();
  const second = readFileSync(`${path}.b`);
  for (let bit = 0; bit < second.length * 8; bit += 1) {
    const flipped = Uint8Array.from(second);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    writeFileSync(`${path}.b`, flipped);
    const again = await openTwoCopyFile(path);
    assert.is(text(again.content), "first", `bit ${bit}`);
    await again.close();
  }
});

test("both copies gone is said, and it goes on", async () => {
  const path = join(await folder(), "file");
  writeFileSync(`${path}.a`, "rubbish");
  const file = await openTwoCopyFile(path);
  assert.is(file.content, undefined);
  assert.is(file.damaged, true);
  await file.write(utf8("new"));
  await file.close();
  const again = await openTwoCopyFile(path);
  assert.is(text(again.content), "new");
  await again.close();
});

test("writes go to the two copies in turn, also after a start", async () => {
  const path = join(await folder(), "file");
  for (let i = 0; i < 7; i += 1) {
    const file = await openTwoCopyFile(path);
    await file.write(utf8(`write ${i}`));
    await file.close();
    const again = await openTwoCopyFile(path);
    assert.is(text(again.content), `write ${i}`);
    await again.close();
  }
});

test("an intent without a result is found at the next start, with its counter", async () => {
  const path = join(await folder(), "journal");
  const journal = await openJournal(path);
  assert.ok(await journal.recordIntent(command(5), new Uint8Array(32)));
  assert.ok(await journal.recordResult(command(5).id, verdict));
  assert.ok(await journal.recordIntent(command(9), new Uint8Array(32).fill(9)));
  await journal.close();
  const again = await openJournal(path);
  assert.is(again.counter(), 9);
  assert.equal(
    again.unfinished().map(({ requestHash }) => requestHash[0]),
    [9],
  );
  assert.equal(again.find(command(5).id)?.verdict, verdict);
  await again.close();
});

test("it is bounded: the oldest with its result gives way, one without never does; the counter outlives both", async () => {
  const path = join(await folder(), "journal");
  const journal = await openJournal(path);
  const waits = command(1);
  assert.ok(await journal.recordIntent(waits, new Uint8Array(32)));
  assert.ok(await journal.recordArmed(waits.id));
  for (let i = 2; i <= ORDERS_MAX + 5; i += 1) {
    assert.ok(await journal.recordIntent(command(i), new Uint8Array(32)), `${i}`);
    assert.ok(await journal.recordResult(command(i).id, verdict), `${i}`);
  }
  for (let i = 2; i <= 6; i += 1) assert.is(journal.find(command(i).id), undefined, `${i}`);
  assert.ok(journal.find(command(7).id) !== undefined);
  assert.is(await journal.recordResult(command(6).id, verdict), false, "there is none to write to");
  assert.is(await journal.recordArmed(command(6).id), false);
  assert.is(journal.counter(), ORDERS_MAX + 5);
  await journal.close();
  const again = await openJournal(path);
  assert.equal(
    again.unfinished().map(({ id, armed }) => [id, armed]),
    [[waits.id, true]],
    "what waits is found at the next start, however many came after it",
  );
  await again.close();
});

test("where every place is taken by what has no result, no intent is written over it; the counter rises", async () => {
  const path = join(await folder(), "journal");
  const journal = await openJournal(path);
  for (let i = 1; i <= ORDERS_MAX; i += 1)
    assert.ok(await journal.recordIntent(command(i), new Uint8Array(32)), `${i}`);
  const next = command(ORDERS_MAX + 1);
  assert.is(await journal.recordIntent(next, new Uint8Array(32)), false);
  assert.is(journal.find(next.id), undefined);
  assert.is(journal.counter(), ORDERS_MAX + 1);
  assert.ok(journal.works(), "the disk is well");
  assert.ok(
    await journal.recordIntent(command(1), new Uint8Array(32)),
    "a known one has its place",
  );
  assert.is(journal.unfinished().length, ORDERS_MAX);
  assert.ok(await journal.recordResult(command(9).id, verdict));
  assert.ok(await journal.recordIntent(next, new Uint8Array(32)), "one that ended gives way");
  assert.is(journal.find(command(9).id), undefined);
  assert.is(journal.unfinished().length, ORDERS_MAX);
  await journal.close();
  const again = await openJournal(path);
  assert.is(again.counter(), ORDERS_MAX + 1);
  await again.close();
});

test("however many commands it holds, the next start reads all of them as they were", async () => {
  const path = join(await folder(), "journal");
  // The bytes of a list's length change at 24.
  for (const count of [1, 23, 24, 25, ORDERS_MAX]) {
    const journal = await openJournal(path);
    assert.not(journal.damaged, `${count}`);
    for (let i = journal.counter() + 1; i <= count; i += 1) {
      assert.ok(await journal.recordIntent(command(i), new Uint8Array(32).fill(i)));
      if (i % 2 === 0) assert.ok(await journal.recordResult(command(i).id, verdict));
    }
    await journal.close();
    const again = await openJournal(path);
    assert.is(again.counter(), count);
    for (let i = 1; i <= count; i += 1) {
      const kept = again.find(command(i).id);
      assert.equal(kept?.requestHash, new Uint8Array(32).fill(i), `${i} of ${count}`);
      assert.equal(kept?.verdict, i % 2 === 0 ? verdict : undefined, `${i} of ${count}`);
    }
    await again.close();
  }
});

test("writes asked for at once are made one after the other; one that is too long is refused", async () => {
  const path = join(await folder(), "file");
  const file = await openTwoCopyFile(path);
  const writes = Array.from({ length: 20 }, (_, at) => file.write(utf8(`write ${at}`)));
  await Promise.all(writes);
  try {
    await file.write(new Uint8Array(64 * 1024 + 1));
    assert.unreachable("too long");
  } catch (error) {
    assert.match(String(error), /over 65536 bytes/);
  }
  await file.close();
  for (const suffix of [".a", ".b"]) {
    writeFileSync(`${path}x${suffix}`, readFileSync(`${path}${suffix}`));
  }
  const again = await openTwoCopyFile(`${path}x`);
  assert.is(text(again.content), "write 19");
  await again.close();
});

test("a result is kept with its own command, every status of it, and nothing else changes", async () => {
  const path = join(await folder(), "journal");
  const journal = await openJournal(path);
  const statuses = ["executed", "refused", "expired", "stale_session", "unknown", "armed"] as const;
  for (const [i] of statuses.entries())
    await journal.recordIntent(command(i + 1), new Uint8Array(32));
  const untouched = {
    id: command(1).id,
    requestHash: new Uint8Array(32),
    action: "lock",
    owed: true,
  };
  assert.equal(journal.find(command(1).id), untouched);
  for (const [i, status] of statuses.entries())
    assert.ok(await journal.recordResult(command(i + 1).id, { ...verdict, status }), status);
  await journal.close();
  const again = await openJournal(path);
  for (const [i, status] of statuses.entries())
    assert.equal(again.find(command(i + 1).id), {
      ...untouched,
      id: command(i + 1).id,
      verdict: { ...verdict, status },
    });
  assert.is(ORDERS_MAX, 64);
  await again.close();
});

test("a result is owed until it was taken over, also over a restart; what a tap asked for is owed to nobody", async () => {
  const path = join(await folder(), "journal");
  let journal = await openJournal(path);
  const owed = (): readonly (number | undefined)[] => journal.owed().map(({ id }) => id[0]);
  const restart = async (): Promise<void> => {
    await journal.close();
    journal = await openJournal(path);
  };
  await journal.recordIntent(command(1), new Uint8Array(32));
  await journal.recordIntent(command(2), new Uint8Array(32), "car");
  assert.equal(owed(), [], "there is no result");
  await journal.recordArmed(command(1).id);
  await journal.recordTaken(command(1).id, "armed");
  await journal.recordResult(command(1).id, verdict);
  await journal.recordResult(command(2).id, verdict);
  await restart();
  assert.equal(owed(), [1]);
  await journal.recordTaken(command(1).id, "unknown");
  assert.equal(owed(), [1], "something else was taken over, told before the end");
  assert.is(await journal.recordTaken(command(1).id, "executed"), true);
  assert.is(await journal.recordTaken(command(9).id, "executed"), true, "none such");
  assert.equal(owed(), []);
  await restart();
  assert.equal(owed(), []);
  assert.equal(journal.find(command(1).id)?.verdict, verdict, "it is answered still");
  await journal.close();
});

test("what is owed gives way after everything that was told", async () => {
  const journal = await openJournal(join(await folder(), "journal"));
  await journal.recordIntent(command(1), new Uint8Array(32));
  await journal.recordResult(command(1).id, verdict);
  for (let i = 2; i <= ORDERS_MAX + 9; i += 1) {
    await journal.recordIntent(command(i), new Uint8Array(32), "car");
    await journal.recordResult(command(i).id, verdict);
  }
  assert.is(journal.owed().length, 1, "taps push no result out that the cloud waits for");
  await journal.close();
});

test("both copies gone is damaged; none ever written is not", async () => {
  const path = join(await folder(), "journal");
  writeFileSync(`${path}.a`, "rubbish");
  writeFileSync(`${path}.b`, "rubbish");
  const journal = await openJournal(path);
  assert.is(journal.damaged, true);
  await journal.close();
  const fresh = await openJournal(join(await folder(), "journal"));
  assert.is(fresh.damaged, false);
  await fresh.close();
});

test("what is whole but is no journal counts as damaged", async () => {
  const path = join(await folder(), "file");
  const file = await openTwoCopyFile(path);
  await file.write(Uint8Array.of(0xff));
  await file.close();
  const journal = await openJournal(path);
  assert.is(journal.damaged, true);
  assert.is(journal.counter(), 0);
  await journal.close();
});

test.run();
