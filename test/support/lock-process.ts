/**
 * A process that runs commands through the real journal, record and lock link, and stops dead at a named point, so
 * that a test can kill it there: `lock-process.ts '{"dir","socket","key","point","commands"}'`. Lines of JSON out.
 */
import { type Journal, LockDriver, type LockPort, serialLink } from "@kerbside/immobiliser";
import { type Action, fromHex, toHex } from "@kerbside/protocol";
import { commandOf, lockRig } from "./lock-rig.ts";
import { realClock, realRandom, silentLog } from "./runtime.ts";
import { until } from "./wait.ts";

/** Where it may stop, in the order of a command with two pulses. */
export const POINTS = [
  "before_intent",
  "after_intent",
  "pulse_1_sent",
  "after_pulse_1",
  "pulse_2_sent",
  "after_pulse_2",
  "before_result",
  "after_result",
] as const;
export type Point = (typeof POINTS)[number];

export type Asked = {
  readonly id: string;
  readonly action: Action;
  readonly counter: number;
  readonly booking?: string;
};
export type ProcessArgs = {
  readonly dir: string;
  readonly socket: string;
  readonly key: string;
  readonly point?: Point;
  readonly commands: readonly Asked[];
};

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

async function main({ dir, socket, key, point, commands }: ProcessArgs): Promise<void> {
  const stopAt = (here: Point): Promise<void> => {
    if (here !== point) return Promise.resolve();
    say({ point: here });
    return new Promise(() => undefined);
  };
  const driver = new LockDriver({
    link: serialLink(socket, 115_200),
    pairingKey: fromHex(key),
    moduleId: new Uint8Array(8).fill(1),
    clock: realClock,
    random: realRandom,
    log: silentLog,
    onSeen: () => undefined,
  });
  driver.start();
  await until("a report", () => driver.report() !== undefined);
  let pulse = 0;
  const port: LockPort = {
    report: () => driver.report(),
    actuate: async (action) => {
      pulse += 1;
      const done = driver.actuate(action);
      await stopAt(pulse === 1 ? "pulse_1_sent" : "pulse_2_sent");
      const actuated = await done;
      await stopAt(pulse === 1 ? "after_pulse_1" : "after_pulse_2");
      return actuated;
    },
  };
  const watched = (journal: Journal): Journal => ({
    ...journal,
    recordIntent: async (command, hash) => {
      await stopAt("before_intent");
      const durable = await journal.recordIntent(command, hash);
      await stopAt("after_intent");
      return durable;
    },
    recordResult: async (id, verdict) => {
      await stopAt("before_result");
      const durable = await journal.recordResult(id, verdict);
      await stopAt("after_result");
      return durable;
    },
  });
  const rig = await lockRig(dir, port, realClock, watched);
  for (const { id, verdict } of await rig.executor.settleInterrupted())
    say({ settled: toHex(id), status: verdict.status, locked: verdict.sensed.locked });
  for (const { id, action, counter, booking } of commands) {
    const change = booking === undefined ? {} : { booking };
    const { verdict, replayed, durable } = await rig.ask(
      commandOf(action, { id: fromHex(id), counter, ...change }),
    );
    const unmet = verdict.unmet.map(({ condition }) => condition);
    say({
      answered: id,
      status: verdict.status,
      replayed,
      durable,
      unmet,
      locked: verdict.sensed.locked,
    });
  }
  say({ rental: rig.desk.rental().value });
  driver.stop();
  await rig.stop();
}

// Imported for its table, or run for its work.
const [, , given] = process.argv;
if (import.meta.main && given !== undefined) await main(JSON.parse(given));
