/** Packs what was closed, a moment at a time, with whatever else is to be done in between. */
import type { Clock } from "@kerbside/protocol";
import type { Engine } from "./engine.ts";

export type Packer = {
  /** Sees to it that what waits to be packed will be. */
  readonly soon: () => void;
};

/** `ready`: there may be more to send. `failed`: the disk did, or what is on it is not what it was. */
export function packer(
  clock: Pick<Clock, "after">,
  current: () => Engine | undefined,
  ready: () => void,
  failed: (engine: Engine, error: unknown) => void,
): Packer {
  let planned = false;
  const run = (): void => {
    planned = false;
    const engine = current();
    if (engine === undefined) return;
    try {
      if (engine.pack() === "ready") ready();
      soon();
    } catch (error) {
      failed(engine, error);
    }
  };
  const soon = (): void => {
    if (planned || current()?.packs() !== true) return;
    planned = true;
    clock.after(0, run);
  };
  return { soon };
}
