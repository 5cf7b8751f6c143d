/** `kerbside-sim replay`: a recorded log as a car. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { replay } from "../replay/replay.ts";
import { type Command, required, UsageError } from "./command.ts";

const SPEED_MAX = 10_000;
/** Lines that were not understood, told one by one; the rest is only counted. */
const PROBLEMS_TOLD_MAX = 5;

export const replayCommand: Command = {
  usage: "replay FILE --data DIR [--speed X|max]",
  words: "a recorded CAN log as a car, from when somebody listens",
  positionals: 1,
  options: {
    data: { value: "DIR", words: "where the socket of its bus is: can.sock" },
    speed: { value: "X|max", words: "times the log's own time, or as fast as it is taken (1)" },
  },
  run: async (given, io) => {
    const [file = ""] = given.positionals;
    const dataDir = required(given, "data");
    const speed = speedFrom(given.options["speed"] ?? "1");
    const socketPath = join(dataDir, "can.sock");
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    let problems = 0;
    const ended = await replay({
      file,
      socketPath,
      speed,
      clock: io.clock,
      signal: io.signal,
      onReady: () =>
        io.out(
          given.json
            ? `${JSON.stringify({ ready: true, can: socketPath })}\n`
            : `The bus is ready: ${socketPath}\n`,
        ),
      onProblem: ({ line, message }) => {
        problems += 1;
        if (problems <= PROBLEMS_TOLD_MAX) io.err(`${file}:${line}: ${message}\n`);
      },
    });
    const { frames, leftOut, finished } = ended;
    if (given.json) io.out(`${JSON.stringify({ finished, frames, leftOut, problems })}\n`);
    else
      io.out(
        `${finished ? "The log has ended" : "Interrupted"}: ${frames} frames sent, ${leftOut} left out, ${problems} lines not understood.\n`,
      );
    return finished ? 0 : 1;
  },
};

function speedFrom(text: string): number | "max" {
  if (text === "max") return text;
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(speed > 0 && speed <= SPEED_MAX))
    throw new UsageError(`--speed ${text}: expected max, or a number up to ${SPEED_MAX}`);
  return speed;
}
