/** Says when frames of the car are missing or damaged: a fault for whoever looks after it. */
import type { Clock, Timer } from "@kerbside/protocol";
import type { SignalStore, StoreStats } from "../store/index.ts";
import { type Collected, eventOf } from "./emit.ts";

/** Often enough to be of use, and seldom enough not to fill the lane of locks and alarms. */
export const RECEPTION_MS = 600_000;
/** Below both of these in one interval nothing is said: a bus that wakes or sleeps loses a few. */
const FRAMES_MIN = 20;
const PART_MIN = 0.001;

const COUNTS: readonly { readonly of: "missed" | "corrupt" | "repeated"; readonly code: string }[] =
  [
    { of: "missed", code: "can.frames_missed" },
    { of: "corrupt", code: "can.frames_corrupt" },
    { of: "repeated", code: "can.frames_repeated" },
  ];

export function watchReception(options: {
  readonly store: Pick<SignalStore, "stats">;
  readonly clock: Clock;
  readonly emit: (event: Collected) => void;
}): { readonly close: () => void } {
  const { store, clock, emit } = options;
  let before: StoreStats = store.stats();
  const look = (): void => {
    const now = store.stats();
    const frames = now.frames - before.frames;
    for (const { of, code } of COUNTS) {
      const count = now[of] - before[of];
      if (count < FRAMES_MIN || count < frames * PART_MIN) continue;
      const detail = `of ${frames} frames received in ${RECEPTION_MS / 60_000} min`;
      const event = eventOf("fault.raised", { code, count, detail }, clock.bootMs());
      if (event !== undefined) emit(event);
    }
    before = now;
    timer = clock.after(RECEPTION_MS, look);
  };
  let timer: Timer = clock.after(RECEPTION_MS, look);
  return { close: () => timer.cancel() };
}
