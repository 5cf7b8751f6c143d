/**
 * A fleet of light cars in one process against a whole cloud in others, all by their command lines: what the fleet's
 * process takes, and that nothing is lost. Enrolling comes before and is not measured.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareFolder } from "../../scripts/demo/options.ts";
import { ensureTenant, pathsOf, startCloud, TENANT } from "../../scripts/demo/parts.ts";
import { runProgram } from "../../scripts/demo/processes.ts";
import type { Row } from "../benchmark.ts";

const CARS = 2000;
const SECONDS = 60;
const MB_MAX = 1500;

export async function* fleetRows(): AsyncGenerator<Row, void, undefined> {
  const paths = pathsOf(mkdtempSync(join(tmpdir(), "kerbside-bench-")));
  prepareFolder(paths.data);
  await ensureTenant(paths);
  const { program, up } = startCloud(paths, { https: 0, broker: 0 });
  try {
    const { ports } = await up;
    const common = ["--data", paths.cloud, "--dev", "--json"];
    const tokens = await runProgram("kerbside-cloud", [
      ...["vehicle", "enrol", "--tenant", TENANT, "--vehicle", "f", "--count", `${CARS}`],
      ...["--profile", "kerbside-sim", ...common],
    ]);
    const file = join(paths.data, "tokens");
    writeFileSync(file, tokens.map((line) => JSON.stringify(line)).join("\n"), { mode: 0o600 });
    const fleet = ["fleet", "--cars", `${CARS}`, "--data", join(paths.data, "fleet"), "--json"];
    const joining = [
      "--url",
      `https://localhost:${ports.https}`,
      "--ca",
      paths.ca,
      "--tokens",
      file,
    ];
    // Joining is over when the first run is.
    await runProgram("kerbside-sim", [...fleet, ...joining, "--seconds", "1", "--settle", "60"]);
    const lines = await runProgram("kerbside-sim", [
      ...[...fleet, "--seconds", `${SECONDS}`, "--settle", "120", "--day", "always", "--hz", "1"],
    ]);
    yield* rowsOf(lines);
  } finally {
    await program.stop();
    rmSync(paths.data, { recursive: true, force: true });
  }
}

type Line = Readonly<Record<string, unknown>>;

function* rowsOf(lines: readonly Line[]): Generator<Row> {
  // Once all are under way; the last line is the end, when they rest.
  const whole = lines.filter(({ connected, end }) => connected === CARS && end !== true);
  const end = lines.at(-1) ?? {};
  const side = (name: string, values: readonly unknown[]) => ({ name, values: values.map(Number) });
  const ours = `${CARS} light cars at 1 Hz, one process`;
  yield {
    what: `resident memory of a fleet (real keys, real TLS, ${String(end["connections"])} connections)`,
    unit: "MB",
    ours: side(ours, whole.length === 0 ? [end["rssMb"]] : whole.map(({ rssMb }) => rssMb)),
    peer: null,
    goal: { of: "ours", atMost: MB_MAX },
  };
  yield {
    what: "events a second that the store has acknowledged",
    unit: "events/s",
    ours: side(ours, [Number(end["eventsStored"]) / Number(end["seconds"])]),
    peer: null,
    goal: null,
  };
  yield {
    what: "events that were made and are neither stored nor waiting at the end",
    unit: "events",
    ours: side(ours, [Number(end["eventsLost"]) + Number(end["eventsWaiting"])]),
    peer: null,
    goal: { of: "ours", atMost: 0 },
  };
}
