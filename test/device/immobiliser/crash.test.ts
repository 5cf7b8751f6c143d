/**
 * A process with the real journal and a real controller at the end of its line, killed at every step around the pulse,
 * and the same with a disk that fails: never two pulses, never a success that was not seen.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Action, randomBytes, toHex } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { TestController } from "../../support/lock-controller.ts";
import { POINTS, type Point, type ProcessArgs } from "../../support/lock-process.ts";
import { until } from "../../support/wait.ts";

type Line = Readonly<Record<string, unknown>>;
const SCRIPT = fileURLToPath(new URL("../../support/lock-process.ts", import.meta.url));

type Run = { readonly child: ChildProcess; readonly lines: Line[]; readonly ended: Promise<void> };
function start(args: ProcessArgs, wrapper: readonly string[] = []): Run {
  const [command = process.execPath, ...before] = [...wrapper, process.execPath];
  const child = spawn(command, [...before, SCRIPT, JSON.stringify(args)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Line[] = [];
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (child.stdout !== null) {
    createInterface(child.stdout).on("line", (line) => lines.push(JSON.parse(line)));
  }
  return { child, lines, ended };
}

type Bench = { readonly controller: TestController; readonly args: Omit<ProcessArgs, "commands"> };
async function bench(): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), "kerbside-crash-"));
  const key = randomBytes(32);
  const socket = join(dir, "lock.sock");
  const controller = await TestController.listen(socket, key);
  return { controller, args: { dir, socket, key: toHex(key) } };
}

/** How many pulses the controller has seen by then, at most. */
const PULSES: Readonly<Record<Point, number>> = {
  before_intent: 0,
  after_intent: 0,
  pulse_1_sent: 1,
  after_pulse_1: 1,
  pulse_2_sent: 2,
  after_pulse_2: 2,
  before_result: 2,
  after_result: 2,
};
const COMMANDS: readonly { action: Action; pulses: number; booking?: string }[] = [
  { action: "unlock", pulses: 1 },
  { action: "unlock_and_release", pulses: 2, booking: "b-1" },
  { action: "lock_and_immobilise", pulses: 2 },
];

for (const { action, pulses, ...booking } of COMMANDS)
  for (const point of POINTS) {
    if (pulses === 1 && /_2/.test(point)) continue;
    test(`${action}, killed at ${point}: pulsed no more, and told as it is`, async () => {
      const { controller, args } = await bench();
      const asked = { id: toHex(randomBytes(16)), action, counter: 1, ...booking };
      const first = start({ ...args, point, commands: [asked] });
      await until("it stops there", () => first.lines.some((line) => line["point"] === point));
      const expected = Math.min(PULSES[point], pulses);
      await until("the controller has what was sent", () => controller.pulses.length === expected);
      first.child.kill("SIGKILL");
      await first.ended;
      const second = start({ ...args, commands: [asked] });
      await second.ended;
      const [settled] = second.lines.filter((line) => "settled" in line);
      const [answer] = second.lines.filter((line) => "answered" in line);
      assert.ok(answer !== undefined, JSON.stringify(second.lines));
      if (point === "before_intent") {
        assert.is(answer["status"], "executed", "it was never taken, and is done now");
        assert.is(controller.pulses.length, pulses);
      } else if (point === "after_result") {
        assert.ok(answer["replayed"] === true && answer["status"] === "executed");
        assert.is(controller.pulses.length, expected);
      } else {
        assert.is(settled?.["status"], "unknown");
        const isOpen = controller.sensed.boltDriver === "unlocked";
        assert.is(settled?.["locked"], isOpen ? "no" : "yes", "what is sensed now");
        assert.ok(answer["replayed"] === true && answer["status"] === "unknown");
        assert.is(controller.pulses.length, expected, "nothing is pulsed after the start");
      }
      const rental = second.lines.at(-1)?.["rental"];
      const mayBeIn =
        action === "unlock_and_release" && controller.sensed.boltDriver === "unlocked";
      assert.is(rental, mayBeIn ? "open" : "none");
      await controller.close();
    });
  }

const FAILURES = [
  { why: "EIO on every write", inject: "pwrite64:error=EIO" },
  { why: "no space left", inject: "pwrite64:error=ENOSPC" },
];
for (const { why, inject } of FAILURES)
  needs("strace")(
    `${why}: lock, unlock and release go on and say so; immobilise is refused`,
    async () => {
      const { controller, args } = await bench();
      const actions: readonly Action[] = [
        "unlock",
        "lock",
        "release",
        "immobilise",
        "lock_and_immobilise",
      ];
      const commands = actions.map((action, at) => ({
        id: toHex(randomBytes(16)),
        action,
        counter: at + 1,
      }));
      const call = inject.split(":")[0] ?? "";
      const strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        `trace=${call}`,
        "-e",
        `inject=${inject}`,
      ];
      const run = start({ ...args, commands }, strace);
      await run.ended;
      const answers = run.lines.filter((line) => "answered" in line);
      assert.equal(
        answers.map(({ status, durable }) => [status, durable]),
        [
          ["executed", false],
          ["executed", false],
          ["executed", false],
          ["refused", false],
          ["refused", false],
        ],
        JSON.stringify(run.lines),
      );
      for (const { unmet } of answers.slice(3)) assert.equal(unmet, ["storage"]);
      const pulses = ["unlock", "lock", "allow_start"];
      assert.equal(controller.pulses, pulses);
      // The answers that nobody was told by then are nowhere: the next start makes up none, and does nothing again.
      const second = start({ ...args, commands: [] });
      await second.ended;
      assert.equal(second.lines, [{ rental: "none" }]);
      assert.equal(controller.pulses, pulses);
      await controller.close();
    },
  );

test.run();
