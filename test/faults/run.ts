/** Runs worlds by their seeds. Import it only after `standIn()`. */
import { problemsOf } from "./world/check.ts";
import { schedule } from "./world/faults.ts";
import { World } from "./world/world.ts";

export type Outcome = {
  readonly seed: number;
  /** Empty where everything held. */
  readonly problems: readonly string[];
  readonly faults: readonly string[];
  /** Faults that came while something was under way, by name. */
  readonly landed: readonly string[];
  readonly events: number;
};

export async function runSeed(seed: number): Promise<Outcome> {
  const world = new World(seed);
  let faults: readonly string[] = [];
  try {
    const delivered = await world.run((w) => {
      faults = schedule(w);
    });
    const problems = await problemsOf(world);
    // What was spoilt may be signed or keyed wrongly now, and then it is sent for ever.
    if (!delivered && world.excuses.damaged.size === 0)
      problems.push("not everything was delivered in an hour");
    return { seed, problems, faults, landed: world.landed, events: world.told.size };
  } finally {
    await world.close();
  }
}
