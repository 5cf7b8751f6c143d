/**
 * `npm start`: a cloud, a simulated car with the real agent, and one booking from the API to the bolt and back. It
 * starts the same command lines that anybody calls and watches them over the API that operators use.
 */
import { bookAndDrive } from "./demo/booking.ts";
import { whereThingsAre } from "./demo/guide.ts";
import {
  checkPorts,
  HELP,
  type Options,
  prepareFolder,
  readOptions,
  UsageError,
} from "./demo/options.ts";
import { startParts } from "./demo/parts.ts";
import { lines, problem, step } from "./demo/print.ts";
import { DemoError, type Program } from "./demo/processes.ts";
import { Watch } from "./demo/watch.ts";

/** Ends the parts in the order that lets the car say goodbye: agent, car, cloud. */
async function stopAll(programs: readonly Program[]): Promise<void> {
  for (const program of programs.toReversed()) await program.stop();
}

async function demo(
  options: Options,
  programs: Program[],
  ended: Promise<string>,
): Promise<number> {
  prepareFolder(options.data);
  await checkPorts(options);
  const parts = await startParts(options, (program) => {
    programs.push(program);
    program.ended.then(
      ({ code, tail }) => problemOf(program, code, tail, options.data),
      () => undefined,
    );
  });
  const watch = await Watch.begin(parts);
  await watch.untilOnline();
  step("agent", "enrolled and connected: mutual TLS 1.3, its session announced");
  const held = await bookAndDrive(parts, watch);
  if (options.once) return held ? 0 : 1;
  lines(...whereThingsAre(parts));
  const reason = await Promise.race([ended, watch.follow()]);
  step("end", reason);
  return 0;
}

let stopping = false;
function problemOf(program: Program, code: number | null, tail: string, data: string): void {
  if (stopping) return;
  problem(`${program.name} ended (status ${code ?? "none"}). Its log is in ${data}/logs.\n${tail}`);
  process.exitCode = 1;
  process.kill(process.pid, "SIGTERM");
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    lines(HELP);
    return 0;
  }
  step("kerbside", `starting; data in ${options.data}`);
  const programs: Program[] = [];
  const ended = new Promise<string>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => resolve("stopping"));
  });
  try {
    const cut = ended.then((): never => {
      throw new DemoError("stopped");
    });
    cut.catch(() => undefined);
    return await Promise.race([demo(options, programs, ended), ...(options.once ? [cut] : [])]);
  } finally {
    stopping = true;
    await stopAll(programs);
  }
}

try {
  const code = await main();
  process.exitCode ??= code;
} catch (error) {
  // A person gets words; only a bug of ours shows its stack.
  const words =
    error instanceof DemoError ? error.message : error instanceof Error ? error.stack : error;
  problem(String(words));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
