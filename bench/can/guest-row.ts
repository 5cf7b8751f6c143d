/** What a real interface costs the agent, in the guest: from SocketCAN to the signal store, against a bare receive loop. */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inGuest } from "../../test/support/guest.ts";
import { median, type Row } from "../benchmark.ts";

const DRIVER = fileURLToPath(new URL("guest-driver.ts", import.meta.url));
/** The guest receives no more than some 2,000 frames a second on a machine that has other things to do. */
const GAP_MS = 1;
const ROUNDS = 12;
const LIFE_S = 240;
const TICK_MS = 10;
const FRAMES_MIN = 200;

type Turn = { readonly turn: string; readonly at: "begin" | "end"; readonly frames: number };

function turnOf(line: string): Turn | undefined {
  if (!line.startsWith("{")) return undefined;
  const { turn, at, frames } = JSON.parse(line);
  return { turn: String(turn), at: at === "begin" ? "begin" : "end", frames: Number(frames) };
}

/** CPU time of a process and all that came of it, as this machine counts it: unlike the guest's, it knows no stolen time. */
function cpuMs(root: number): number {
  const parents = new Map<number, number>();
  const ticks = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      parents.set(Number(name), Number(fields[1]));
      ticks.set(Number(name), Number(fields[11]) + Number(fields[12]));
    } catch {
      // It ended while it was looked at.
    }
  }
  const within = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === root || within(parents.get(pid)));
  let total = 0;
  for (const [pid, count] of ticks) if (within(pid)) total += count * TICK_MS;
  return total;
}

/** Microseconds a frame of each side, less what the guest costs with nobody listening. */
export async function guestBus(gapMs: number = GAP_MS, rounds: number = ROUNDS): Promise<Row> {
  const costs: Record<string, number[]> = { bare: [], kerbside: [], nobody: [] };
  const frames: Record<string, number[]> = { bare: [], kerbside: [], nobody: [] };
  let began = { cpu: 0, atMs: 0, frames: 0 };
  const { status, lines } = await inGuest(
    realpathSync(process.execPath),
    [DRIVER, String(gapMs), String(rounds)],
    {
      lifeS: LIFE_S,
      onLine: (line, pid) => {
        const seen = turnOf(line);
        if (seen === undefined) return;
        const now = { cpu: cpuMs(pid), atMs: performance.now(), frames: seen.frames };
        if (seen.at === "begin") began = now;
        else {
          costs[seen.turn]?.push((now.cpu - began.cpu) / (now.atMs - began.atMs));
          frames[seen.turn]?.push((now.frames - began.frames) / (now.atMs - began.atMs));
        }
      },
    },
  );
  if (status !== 0) throw new Error(`the guest: ${lines.at(-1)}`);
  const idle = median(costs["nobody"] ?? []);
  const perFrame = (side: string): number[] =>
    (costs[side] ?? []).flatMap((cost, i) => {
      const rate = frames[side]?.[i] ?? 0;
      return rate * 1000 < FRAMES_MIN ? [] : [((cost - idle) / rate) * 1000];
    });
  return {
    what: "a frame from SocketCAN into the signal store, in the guest",
    unit: "µs of CPU",
    ours: { name: "kerbside", values: perFrame("kerbside") },
    peer: { name: "bare socketcan loop", values: perFrame("bare") },
    goal: { of: "ratio", atMost: 1.3 },
  };
}
