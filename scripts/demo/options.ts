/** The words of `npm start`, and what is checked before anything is started. */
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DemoError } from "./processes.ts";

export const HELP = `npm start [-- OPTIONS]   a cloud, a simulated car with the real agent, and a booking

  --once              run one booking and end: status 0 only if every step of it is in the store
  --data DIR          where everything is kept (default .kerbside); starting again goes on with it
  --https-port N      console, API and enrolment (default 8443; with --once any free one)
  --broker-port N     MQTT for the cars (default 8883; with --once any free one)
  --cockpit-port N    the simulated car (default 8444; with --once any free one)
`;

export type Options = {
  readonly once: boolean;
  readonly data: string;
  readonly ports: Readonly<Record<"https" | "broker" | "cockpit", number>>;
};

/** Wrong words on the command line: status 2. */
export class UsageError extends DemoError {}

/** Reads the options; undefined if only help was asked for. Throws UsageError. */
export function readOptions(argv: readonly string[]): Options | undefined {
  const values = parse(argv);
  if (values.help === true) return undefined;
  const once = values.once === true;
  const port = (name: "https-port" | "broker-port" | "cockpit-port", fixed: number): number => {
    const said = values[name];
    if (said === undefined) return once ? 0 : fixed;
    const number = Number(said);
    if (/^\d{1,5}$/.test(said) && number <= 65_535) return number;
    throw new UsageError(`--${name}: expected a port from 0 to 65535, got ${JSON.stringify(said)}`);
  };
  return {
    once,
    data: resolve(values.data ?? ".kerbside"),
    ports: {
      https: port("https-port", 8443),
      broker: port("broker-port", 8883),
      cockpit: port("cockpit-port", 8444),
    },
  };
}

type Values = Partial<Record<"data" | "https-port" | "broker-port" | "cockpit-port", string>> & {
  readonly once?: boolean;
  readonly help?: boolean;
};

function parse(argv: readonly string[]): Values {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const ports = { "https-port": text, "broker-port": text, "cockpit-port": text };
  const options = { once: flag, help: flag, data: text, ...ports };
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${why}\n\n${HELP}`);
  }
}

/** Makes the folders of the demo. Throws DemoError if they cannot be made or written. */
export function prepareFolder(data: string): void {
  try {
    for (const name of ["", "cloud", "agent", "sim", "secrets", "logs"]) {
      const folder = join(data, name);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      accessSync(folder, constants.W_OK | constants.X_OK);
    }
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new DemoError(
      `${data}: expected a directory that can be written (${why}); choose another with --data`,
    );
  }
  if (existsSync(join(data, "package.json"))) {
    throw new DemoError(
      `${data}: expected a directory of its own for data, this one holds a package`,
    );
  }
}

/** Throws DemoError where a wanted port is taken. */
export async function checkPorts({ ports }: Options): Promise<void> {
  for (const [name, port] of Object.entries(ports)) {
    if (port === 0 || (await isFree(port))) continue;
    throw new DemoError(
      `port ${port} is in use by another program; choose another with --${name}-port`,
    );
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolveFree) => {
    const probe = createServer();
    probe.once("error", () => resolveFree(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolveFree(true)));
  });
}
