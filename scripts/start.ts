/**
 * `npm start`: a cloud, a simulated car with the real agent, and one booking from the API to the bolt and back. It
 * starts the same command lines that anybody calls and watches them over the API that operators use.
 */
import { Backend } from "./demo/api.ts";
import { bookAndDrive } from "./demo/booking.ts";
import { whereThingsAre } from "./demo/guide.ts";
import { ensureOperator } from "./demo/operator.ts";
import {
  checkPorts,
  HELP,
  type Options,
  prepareFolder,
  readOptions,
  UsageError,
} from "./demo/options.ts";
import {
  ensureEnrolment,
  ensureTenant,
  pathsOf,
  startCloud,
  startModule,
  startSim,
  surroundings,
  TENANT,
  VEHICLE,
} from "./demo/parts.ts";
import { lines, problem, step } from "./demo/print.ts";
import { DemoError, type Program } from "./demo/processes.ts";
import type { Running } from "./demo/running.ts";
import { Watch } from "./demo/watch.ts";

/** Ends the parts in the order that lets the car say goodbye: agent, car, cloud. */
async function stopAll(programs: readonly Program[]): Promise<void> {
  for (const program of programs.toReversed()) await program.stop();
}

/** Brings the parts up in order. `started` hears of each as it is started, so that a failure can end it. */
async function startParts(options: Options, started: (program: Program) => void): Promise<Running> {
  const paths = pathsOf(options.data);
  if (await ensureTenant(paths))
    step("tenant", `${TENANT} made, with a store, a vault and keys of its own`);
  const cloudStart = startCloud(paths, options.ports);
  started(cloudStart.program);
  const cloud = await cloudStart.up;
  step(
    "cloud",
    `up: API and console on port ${cloud.ports.https}, broker on port ${cloud.ports.broker}`,
  );
  const simStart = startSim(paths, options.ports.cockpit, surroundings(paths, cloud.ports));
  started(simStart.program);
  const sim = await simStart.up;
  step("car", `its body, engine and lock controller run; cockpit on port ${sim.port}`);
  if (await ensureEnrolment(paths))
    step("enrolment", `a one-time token for ${VEHICLE}; its keys are made in the car`);
  started(startModule(paths, cloud.ports, sim.networkPort ?? cloud.ports.broker));
  return { paths, cloud, sim };
}

async function demo(
  options: Options,
  programs: Program[],
  ended: Promise<string>,
): Promise<number> {
  prepareFolder(options.data);
  await checkPorts(options);
  const running = await startParts(options, (program) => {
    programs.push(program);
    program.ended.then(
      ({ code, tail }) => problemOf(program, code, tail, options.data),
      () => undefined,
    );
  });
  const watch = await Watch.begin(new Backend(running, TENANT));
  await watch.untilOnline();
  step("agent", "enrolled and connected: mutual TLS 1.3, its session announced");
  await watch.tellBeginning();
  const held = await bookAndDrive(running.sim, watch);
  if (options.once) return held ? 0 : 1;
  await ensureOperator(running.paths, running.cloud);
  lines(...whereThingsAre(running));
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
