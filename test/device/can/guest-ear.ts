/** What the scenarios of the guest share: patience, a shell, and a listener on a real bus that can be waited on. */
import { execFileSync } from "node:child_process";
import {
  type BusEvent,
  type BusFrame,
  type CanBus,
  type CanFilter,
  createSocketCanBus,
} from "@kerbside/can";
import { realClock, realRandom } from "../../support/runtime.ts";

export type Scenarios = Readonly<Record<string, () => Promise<unknown>>>;

const WAIT_MS_MAX = 40_000;
const TICK_MS = 20;
export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
export const sh = (command: string): string =>
  execFileSync("sh", ["-c", command], { encoding: "utf8" });

export async function until(what: () => boolean): Promise<boolean> {
  const end = performance.now() + WAIT_MS_MAX;
  while (!what() && performance.now() < end) await sleep(TICK_MS);
  return what();
}

export class Ear {
  readonly frames: BusFrame[] = [];
  readonly events: BusEvent[] = [];
  readonly bus: CanBus;

  constructor(name: string, filters: readonly CanFilter[] = []) {
    this.bus = createSocketCanBus({
      interface: name,
      clock: realClock,
      random: realRandom,
      silentMs: 1500,
      filters,
    });
    this.bus.start({
      frames: (frames) => {
        this.frames.push(...frames);
      },
      event: (event) => this.events.push(event),
    });
  }

  /** As they followed one another. */
  get states(): string[] {
    const states = this.events.flatMap((e) => (e.kind === "state" ? [e.state] : []));
    return states.filter((state, i) => state !== states[i - 1]);
  }

  async reaches(state: string): Promise<void> {
    if (await until(() => this.states.at(-1) === state)) return;
    throw new Error(`not ${state}: ${JSON.stringify(this.events)}`);
  }

  async says(reason: RegExp): Promise<void> {
    const said = (e: BusEvent): boolean => e.kind === "state" && reason.test(e.reason);
    if (await until(() => this.events.some(said))) return;
    throw new Error(`not ${reason}: ${JSON.stringify(this.events)}`);
  }

  async hears(count: number, kind?: BusFrame["kind"]): Promise<void> {
    const wanted = (f: BusFrame): boolean => kind === undefined || f.kind === kind;
    if (await until(() => this.frames.filter(wanted).length >= count)) return;
    throw new Error(`${this.frames.length} frames, not ${count}`);
  }
}
