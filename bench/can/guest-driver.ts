/**
 * Runs in the guest: two sides receive the same traffic in turns, the other one (and in a third turn both) stopped, so
 * that the machine's moods fall on all alike. Prints a JSON line as each turn begins and ends: {turn, at, frames}; what
 * it cost is measured outside. Arguments: ms between frames, rounds.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { FIRST_ID } from "./frames.ts";

const SUBJECT = fileURLToPath(new URL("guest-subject.ts", import.meta.url));
/** Random payloads of the first message of `benchProfile`: four new values a frame. */
const FRAME_ID: string = FIRST_ID.toString(16);
const SIDES = ["bare", "kerbside"] as const;
const WARM_UP_MS = 3000;
/** After a side was woken: what its socket still held has been taken by then. */
const SETTLE_MS = 400;
const TURN_MS = 1500;

class Side {
  readonly name: string;
  readonly #process: ChildProcess;
  #waiting: (line: string) => void = () => undefined;

  constructor(name: string) {
    this.name = name;
    const child = spawn(process.execPath, [SUBJECT, name], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.on("data", (text) => this.#waiting(String(text)));
    child.once("exit", () => process.exit(1));
    this.#process = child;
  }

  nextLine(): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  async frames(): Promise<number> {
    const line = this.nextLine();
    this.#process.kill("SIGUSR2");
    return Number(await line);
  }

  /** With its children. */
  signal(name: "SIGSTOP" | "SIGCONT"): void {
    const pid = this.#process.pid ?? 0;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    for (const one of [pid, ...children.split(" ").filter(Boolean)])
      process.kill(Number(one), name);
  }
}

const say = (turn: string, at: "begin" | "end", frames: number): boolean =>
  process.stdout.write(`${JSON.stringify({ turn, at, frames })}\n`);

async function measure(side: Side): Promise<void> {
  side.signal("SIGCONT");
  await wait(SETTLE_MS);
  say(side.name, "begin", await side.frames());
  await wait(TURN_MS);
  say(side.name, "end", await side.frames());
  side.signal("SIGSTOP");
}

const [gapMs = "1", rounds = "8"] = process.argv.slice(2);
const traffic = spawn("cangen", ["vcan0", "-g", gapMs, "-I", FRAME_ID, "-L", "8"]);
await once(traffic, "spawn");
const sides: Side[] = [];
for (const name of SIDES) {
  const side = new Side(name);
  await side.nextLine();
  await wait(WARM_UP_MS);
  side.signal("SIGSTOP");
  sides.push(side);
}
for (let i = 0; i < Number(rounds); i++) {
  // Whoever comes second finds a warmer machine, or a busier one.
  for (const side of i % 2 === 0 ? sides : sides.toReversed()) await measure(side);
  say("nobody", "begin", 0);
  await wait(TURN_MS);
  say("nobody", "end", 0);
}
process.exit(0);
