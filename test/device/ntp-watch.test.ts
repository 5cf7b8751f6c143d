/** What the platform's time server is believed of: an answer that was just taken over, and no more than a hint. */
import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NTP_AGE_MS_MAX, watchNtp } from "@kerbside/device";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock } from "../support/runtime.ts";

const MINUTE = 60_000;

test("each answer hints once; one that is old, missing or of a later time does not", () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-ntp-"));
  const file = join(dir, "synchronized");
  const clock = manualClock();
  const hints: (readonly [wallMs: number, doubtMs: number])[] = [];
  const touch = (atMs: number): void => {
    writeFileSync(file, "");
    utimesSync(file, atMs / 1000, atMs / 1000);
  };
  let isHeard = false;
  const stop = watchNtp({
    file,
    clock,
    hint: (...hint) => {
      if (isHeard) hints.push(hint);
      return isHeard;
    },
  });
  assert.equal(hints, [], "a platform without it");
  touch(clock.wallMs());
  clock.pass(2 * MINUTE);
  assert.equal(hints, [], "before any time is trusted it is said in vain");
  isHeard = true;
  clock.pass(2 * MINUTE);
  assert.is(hints.length, 1, "and is said again");
  const [[wallMs, doubtMs] = [0, 0]] = hints;
  assert.ok(Math.abs(wallMs - clock.wallMs()) <= 4 * MINUTE);
  assert.ok(doubtMs >= 3000 && doubtMs < 3200, `${doubtMs}`);
  clock.pass(10 * MINUTE);
  assert.is(hints.length, 1, "nothing new was said");
  touch(clock.wallMs() - NTP_AGE_MS_MAX - MINUTE);
  clock.pass(2 * MINUTE);
  touch(clock.wallMs() + 10 * MINUTE);
  clock.pass(2 * MINUTE);
  assert.is(hints.length, 1, "too old, and from a time that is not yet");
  touch(clock.wallMs());
  clock.pass(2 * MINUTE);
  assert.is(hints.length, 2);
  stop();
  touch(clock.wallMs());
  clock.pass(10 * MINUTE);
  assert.is(hints.length, 2);
  rmSync(dir, { recursive: true });
});

test("a file that the platform does not let it see is none, and ends nothing", () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-ntp-"));
  const loop = join(dir, "loop");
  symlinkSync(loop, loop);
  const clock = manualClock();
  let hints = 0;
  const hint = (): boolean => {
    hints += 1;
    return true;
  };
  const stop = watchNtp({ file: join(loop, "synchronized"), clock, hint });
  clock.pass(10 * MINUTE);
  assert.is(hints, 0);
  stop();
  rmSync(dir, { recursive: true });
});

test.run();
