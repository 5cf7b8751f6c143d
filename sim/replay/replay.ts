/** A recorded log as a car: its frames on a bus socket, in their own time, faster, or as fast as they are taken. */
import { open } from "node:fs/promises";
import {
  type BusServer,
  createReplayBus,
  frameProblem,
  type LogProblem,
  readLog,
  serveBus,
} from "@kerbside/can";
import type { Clock } from "@kerbside/protocol";

export type ReplayOptions = {
  readonly file: string;
  readonly socketPath: string;
  /** Times real time, or "max". */
  readonly speed: number | "max";
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The socket is open; frames follow when somebody listens. */
  readonly onReady: () => void;
  readonly onProblem: (problem: LogProblem) => void;
};
export type Replayed = {
  readonly frames: number;
  /** Error frames and such as no bus carries: they are left out. */
  readonly leftOut: number;
  readonly finished: boolean;
};

/** Rejects with LogFormatError for a file that is no log, with the system's error for one that cannot be read. */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const { file, socketPath, speed, clock, signal } = options;
  await using log = await open(file);
  const listener = Promise.withResolvers<void>();
  const bus = await serveBus({
    path: socketPath,
    onClients: (count) => {
      if (count > 0) listener.resolve();
    },
  });
  signal.addEventListener("abort", () => listener.resolve(), { once: true });
  const counts = { frames: 0, leftOut: 0 };
  const ended = Promise.withResolvers<unknown>();
  const player = createReplayBus({
    frames: readLog(log.createReadStream({ autoClose: false }), {
      file,
      onProblem: options.onProblem,
    }),
    speed,
    clock,
    onEnd: ended.resolve,
  });
  try {
    options.onReady();
    await listener.promise;
    if (signal.aborted) return { ...counts, finished: false };
    signal.addEventListener("abort", () => ended.resolve(undefined), { once: true });
    player.start({ frames: (frames) => pass(bus, frames, counts), event: () => undefined });
    const failure = await ended.promise;
    if (failure !== undefined) throw failure;
    await bus.drained();
    return { ...counts, finished: !signal.aborted };
  } finally {
    await player.stop();
    await bus.close();
  }
}

type Frames = Parameters<Parameters<ReturnType<typeof createReplayBus>["start"]>[0]["frames"]>[0];

async function pass(
  bus: BusServer,
  frames: Frames,
  counts: { frames: number; leftOut: number },
): Promise<void> {
  for (const frame of frames) {
    if (frame.kind === "error" || frameProblem(frame) !== undefined) {
      counts.leftOut += 1;
      continue;
    }
    bus.send(frame);
    counts.frames += 1;
  }
  await bus.drained();
}
