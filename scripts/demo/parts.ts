/** Brings the parts of the demo up in order: cloud, tenant, car's hardware, agent. Keys are made at the first start. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Caller, httpsCaller } from "./https.ts";
import type { Options } from "./options.ts";
import { step } from "./print.ts";
import { DemoError, type Program, runProgram, startProgram } from "./processes.ts";

export const TENANT = "demo";
export const VEHICLE = "car-1";

export type Parts = {
  readonly programs: readonly Program[];
  readonly cloud: Caller;
  readonly cockpit: Caller;
  readonly cockpitKey: string;
  readonly ports: { readonly https: number; readonly broker: number; readonly cockpit: number };
  readonly paths: Paths;
};

export type Paths = {
  readonly data: string;
  readonly cloud: string;
  readonly ca: string;
  readonly clientSecret: string;
  readonly cockpitKey: string;
};

export function pathsOf(data: string): Paths {
  const cloud = join(data, "cloud");
  return {
    data,
    cloud,
    ca: join(cloud, "tls", "ca.pem"),
    clientSecret: join(cloud, "secrets", `client-${TENANT}-backend`),
    cockpitKey: join(data, "sim", "cockpit.key"),
  };
}

function portOf(ready: Readonly<Record<string, unknown>>, key: string): number {
  const port = ready[key];
  if (typeof port !== "number") throw new DemoError(`the ready line names no ${key} port`);
  return port;
}

/** Writes a secret once; later starts keep it. */
function keepSecret(file: string, make: () => string): void {
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 });
}

/** Starts everything; `started` is told of each program as it is started, so that a failure can end it. */
export async function startParts(
  { data, ports }: Options,
  started: (program: Program) => void,
): Promise<Parts> {
  const paths = pathsOf(data);
  const log = (name: string): string => join(data, "logs", `${name}.log`);
  const known = await runProgram("kerbside-cloud", [
    "tenant",
    "list",
    "--data",
    paths.cloud,
    "--dev",
    "--json",
  ]);
  if (!known.some(({ tenant }) => tenant === TENANT)) {
    await runProgram("kerbside-cloud", [
      "tenant",
      "create",
      TENANT,
      "--data",
      paths.cloud,
      "--dev",
      "--json",
    ]);
    step("tenant", `${TENANT} made, with a store, a vault and keys of its own`);
  }
  const cloudArgs = ["--https-port", `${ports.https}`, "--broker-port", `${ports.broker}`];
  const cloud = startProgram(
    "kerbside-cloud",
    ["serve", "--data", paths.cloud, "--dev", "--json", ...cloudArgs],
    log("cloud"),
  );
  started(cloud);
  const up = await cloud.ready;
  const [https, broker] = [portOf(up, "https"), portOf(up, "broker")];
  step("cloud", `up: API and console on port ${https}, broker on port ${broker}`);

  keepSecret(join(data, "secrets", "pairing.key"), () => randomBytes(32).toString("hex"));
  const tls = [
    "--tls-cert",
    join(paths.cloud, "tls", "server.pem"),
    "--tls-key",
    join(paths.cloud, "tls", "server.key"),
  ];
  const sim = startProgram(
    "kerbside-sim",
    [
      "drive",
      ...["--data", join(data, "sim"), "--port", `${ports.cockpit}`, "--json", ...tls],
      ...["--pairing-key", join(data, "secrets", "pairing.key")],
    ],
    log("sim"),
  );
  started(sim);
  const cockpit = portOf(await sim.ready, "https");
  step("car", `its body, engine and lock controller run; cockpit on port ${cockpit}`);

  const agent = await startAgent(paths, { https, broker }, log("agent"));
  started(agent);
  const ca = readFileSync(paths.ca, "utf8");
  return {
    programs: [cloud, sim, agent],
    cloud: httpsCaller(https, ca),
    cockpit: httpsCaller(cockpit, ca),
    cockpitKey: readFileSync(paths.cockpitKey, "utf8").trim(),
    ports: { https, broker, cockpit },
    paths,
  };
}

async function startAgent(
  paths: Paths,
  ports: { readonly https: number; readonly broker: number },
  logFile: string,
): Promise<Program> {
  const { data } = paths;
  const configFile = join(data, "agent", "config.json");
  const tokenFile = join(data, "secrets", "enrolment.token");
  const config = {
    tenant: TENANT,
    vehicle: VEHICLE,
    dataDir: "state",
    profile: "kerbside-sim",
    enrolment: { url: `https://localhost:${ports.https}`, caFile: paths.ca, tokenFile },
    broker: { host: "localhost", port: ports.broker },
    bus: { driver: "socket", path: join(data, "sim", "can.sock") },
    lock: {
      path: join(data, "sim", "lock.sock"),
      pairingKeyFile: join(data, "secrets", "pairing.key"),
    },
  };
  writeFileSync(configFile, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
  const vehicle = ["--tenant", TENANT, "--vehicle", VEHICLE];
  const cars = await runProgram("kerbside-cloud", [
    "vehicle",
    "list",
    "--tenant",
    TENANT,
    "--data",
    paths.cloud,
    "--json",
  ]);
  if (!cars.some((car) => car["vehicle"] === VEHICLE)) {
    const [made] = await runProgram("kerbside-cloud", [
      ...[
        "vehicle",
        "enrol",
        ...vehicle,
        "--profile",
        "kerbside-sim",
        "--data",
        paths.cloud,
        "--json",
      ],
    ]);
    if (typeof made?.["token"] !== "string") throw new DemoError("vehicle enrol gave no token");
    writeFileSync(tokenFile, made["token"], { mode: 0o600 });
    step(
      "enrolment",
      `a one-time token for ${VEHICLE}; the agent makes its keys and hands in its request`,
    );
  }
  const agent = startProgram("kerbside-agent", ["run", "--config", configFile, "--json"], logFile);
  return agent;
}
