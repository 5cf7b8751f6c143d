/**
 * Here's how it works: input i of a run is made of the seed `seed + i` and nothing else. So whichever input
 * fails, that one number makes it again, alone: `node test/fuzz/main.ts --target T --seed N --count 1`.
 */
import { randomOf } from "./random.ts";
import type { FuzzTarget } from "./target.ts";

export class FuzzFailure extends Error {
  override readonly name = "FuzzFailure";

  constructor(target: string, seed: number, cause: unknown) {
    const again = `node test/fuzz/main.ts --target ${target} --seed ${seed} --count 1`;
    super(`${target} failed at seed ${seed}; to see it again: ${again}`, { cause });
  }
}

/** Throws FuzzFailure for the first input that fails. `begun` is told each seed before its input runs. */
export async function fuzz(
  target: FuzzTarget,
  seed: number,
  count: number,
  begun: (seed: number, done: number) => void = () => {},
): Promise<void> {
  for (let i = 0; i < count; i++) {
    const one = (seed + i) >>> 0;
    begun(one, i);
    try {
      const running = target.run(randomOf(one));
      if (running !== undefined) await running;
    } catch (error) {
      throw new FuzzFailure(target.name, one, error);
    }
  }
}
