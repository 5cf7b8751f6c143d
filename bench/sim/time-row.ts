/**
 * How fast time passes for a car with its agent and a whole cloud in one process. Files are on a disk of memory, so that
 * a flush costs nothing, as in the model of time: none of it passes while a file is written.
 */
import { simulatedStage } from "../../scenarios/simulated-stage.ts";
import { makeTemplate } from "../../scenarios/template.ts";
import type { Row } from "../benchmark.ts";

const ROUNDS = 3;
const DRIVE_MS = 600_000;
/** An hour of a shared car: a drive of ten minutes, then it stands. */
const HOUR_MS = 3_600_000;
const TIMES_MIN = 500;

type Round = {
  readonly drive: number;
  readonly hour: number;
  /** The hour, by the processor that it took: what a machine with nothing else to do comes to. */
  readonly hourByCpu: number;
  readonly frames: number;
};

async function round(): Promise<Round> {
  const template = await makeTemplate();
  const stage = await simulatedStage(template);
  try {
    const ask = (action: string) =>
      stage.ask({
        method: "POST",
        path: `/vehicles/${stage.vehicle}/commands?wait=20000`,
        body: { action },
        key: action,
        asOperator: true,
      });
    await ask("unlock");
    await ask("release");
    const [fromMs, framesBefore, startedMs] = [stage.nowMs(), stage.frames(), performance.now()];
    const cpu = process.cpuUsage();
    await stage.during(stage.drive(DRIVE_MS, 50));
    const driveMs = stage.nowMs() - fromMs;
    const frames = ((stage.frames() - framesBefore) * 1000) / driveMs;
    const drive = driveMs / (performance.now() - startedMs);
    await stage.pass(HOUR_MS - driveMs);
    const { user, system } = process.cpuUsage(cpu);
    const hourByCpu = (HOUR_MS * 1000) / (user + system);
    return { drive, hour: HOUR_MS / (performance.now() - startedMs), hourByCpu, frames };
  } finally {
    await stage.close();
    template.remove();
  }
}

export async function* timeRows(): AsyncGenerator<Row, void, undefined> {
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i += 1) rounds.push(await round());
  const frames = Math.round(rounds[0]?.frames ?? 0);
  const name = "car, agent and cloud in one process";
  const row = (what: string, of: (one: Round) => number, isGoal: boolean): Row => ({
    what,
    unit: "times real time",
    ours: { name, values: rounds.map(of) },
    peer: null,
    goal: isGoal ? { of: "ours", atLeast: TIMES_MIN } : null,
  });
  yield row(
    `simulated time over an hour with a ten-minute drive (${frames} frames/s while it drives)`,
    ({ hour }) => hour,
    true,
  );
  yield row("the same hour against the time of a processor", ({ hourByCpu }) => hourByCpu, false);
  yield row(`the drive alone (${frames} frames/s)`, ({ drive }) => drive, false);
}
