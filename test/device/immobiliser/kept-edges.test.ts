/** What is kept in two copies at its bounds: what is written where it is asked for, how long a field may be, what stays open. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  LOCK_WAKE_MS_MAX,
  LockDriver,
  NOTHING_SENSED,
  openCarRecord,
  openJournal,
  openTwoCopyFile,
  type Verdict,
} from "@kerbside/immobiliser";
import { type Clock, ProtocolError, randomBytes } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commandOf, hashOf } from "../../support/lock-rig.ts";
import { manualClock, silentLog } from "../../support/runtime.ts";

/** Magic, number and length before the content, and a hash after it. */
const FRAME_BYTES = 52;

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-kept-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const refuses = (work: Promise<unknown>): Promise<void> =>
  work.then(
    () => assert.unreachable(),
    (error: unknown) => assert.instance(error, ProtocolError),
  );

/** Whether it is on the disk before anything else in this process gets its turn. */
async function isAtOnce(written: Promise<void>): Promise<boolean> {
  let done = false;
  const ended = written.then(() => {
    done = true;
  });
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
  const atOnce = done;
  await ended;
  return atOnce;
}

test("up to 16 KiB are written where it is asked for; what is longer holds nothing else up", () =>
  withFolder(async (folder) => {
    const file = await openTwoCopyFile(join(folder, "file"));
    const most = 16 * 1024 - FRAME_BYTES;
    for (const [bytes, atOnce] of [
      [0, true],
      [most, true],
      [most + 1, false],
      [most + 1, false],
      [60_000, false],
    ] as const)
      assert.is(await isAtOnce(file.write(new Uint8Array(bytes))), atOnce, `${bytes}`);
    await file.close();
  }));

test("of its folder nothing stays open but the two copies, and once it is closed nothing at all", () =>
  withFolder(async (folder) => {
    const open = (): readonly string[] =>
      readdirSync("/proc/self/fd")
        .flatMap((fd) => {
          try {
            return [readlinkSync(`/proc/self/fd/${fd}`)];
          } catch {
            // The one that lists them is closed by now.
            return [];
          }
        })
        .filter((path) => path.startsWith(folder))
        .toSorted();
    const file = await openTwoCopyFile(join(folder, "file"));
    assert.equal(open(), [join(folder, "file.a"), join(folder, "file.b")]);
    await file.close();
    assert.equal(open(), []);
  }));

test("a result names at most 32 conditions and gives a reason of at most 64 characters", () =>
  withFolder(async (folder) => {
    const journal = await openJournal(join(folder, "journal"));
    const command = commandOf("lock");
    await journal.recordIntent(command, hashOf(command));
    const verdict = (conditions: number, reason: number): Verdict => ({
      status: "refused",
      unmet: Array.from({ length: conditions }, () => ({ condition: "c", words: "w" })),
      sensed: NOTHING_SENSED,
      reason: "r".repeat(reason),
      mayHaveSucceeded: false,
    });
    await refuses(journal.recordResult(command.id, verdict(33, 1)));
    await refuses(journal.recordResult(command.id, verdict(1, 65)));
    assert.is(await journal.recordResult(command.id, verdict(32, 64)), true);
    await journal.close();
  }));

test("what opened a rental is kept by at most 64 characters", () =>
  withFolder(async (folder) => {
    const record = await openCarRecord(join(folder, "car"));
    const open = { value: "open", booking: "b-1", openedBy: "card", phase: "unstarted" } as const;
    await refuses(record.keepRental({ ...open, credential: "c".repeat(65) }));
    assert.is(await record.keepRental({ ...open, credential: "c".repeat(64) }), true);
    await record.close();
  }));

test("a lock that is woken time and again is waited for by one clock", () => {
  const clock = manualClock();
  let waiting = 0;
  const counted: Clock = {
    ...clock,
    after: (delayMs, run) => {
      const timer = clock.after(delayMs, run);
      if (delayMs !== LOCK_WAKE_MS_MAX) return timer;
      waiting += 1;
      return {
        cancel: () => {
          waiting -= 1;
          timer.cancel();
        },
      };
    },
  };
  const driver = new LockDriver({
    link: () => new Promise(() => undefined),
    ...{ pairingKey: randomBytes(32), moduleId: new Uint8Array(8), log: silentLog },
    ...{ clock: counted, random: { bytes: randomBytes, fraction: () => 0 } },
    onSeen: () => undefined,
  });
  for (let times = 0; times < 3; times += 1) driver.wake();
  assert.is(waiting, 1);
  driver.stop();
});

test.run();
