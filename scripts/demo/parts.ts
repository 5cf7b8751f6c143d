/**
 * The parts of a whole system in one data directory, each started by its own command line: cloud, tenant, the car's
 * hardware, agent. Keys are made at the first start; later starts go on with them.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Send } from "../../shared/client/index.ts";
import { type Caller, httpsCaller, httpsSend } from "./https.ts";
import { DemoError, type Program, runProgram, startProgram } from "./processes.ts";

export const TENANT = "demo";
export const VEHICLE = "car-1";
const PROFILE = "kerbside-sim";

export type Ports = { readonly https: number; readonly broker: number };

/** Where a system keeps what. */
export type Paths = {
  readonly data: string;
  readonly cloud: string;
  readonly ca: string;
  readonly clientSecret: string;
  /** Of the client that may act without a booking. */
  readonly operatorSecret: string;
  /** Of the account that the console is signed in to with. */
  readonly operatorPassword: string;
  readonly cockpitKey: string;
  readonly agentConfig: string;
  readonly pairingKey: string;
  readonly token: string;
  /** Who rings the car's modem: the simulated car's own gateway. */
  readonly wakeGateway: string;
  readonly log: (part: string) => string;
};

export function pathsOf(data: string): Paths {
  const cloud = join(data, "cloud");
  return {
    data,
    cloud,
    ca: join(cloud, "tls", "ca.pem"),
    clientSecret: join(cloud, "secrets", `client-${TENANT}-backend`),
    operatorSecret: join(cloud, "secrets", `client-${TENANT}-operator`),
    operatorPassword: join(data, "secrets", "operator.password"),
    cockpitKey: join(data, "sim", "cockpit.key"),
    agentConfig: join(data, "agent", "config.json"),
    pairingKey: join(data, "secrets", "pairing.key"),
    token: join(data, "secrets", "enrolment.token"),
    wakeGateway: join(data, "secrets", "wake-gateway.json"),
    log: (part) => join(data, "logs", `${part}.log`),
  };
}

function portOf(ready: Readonly<Record<string, unknown>>, key: string): number {
  const port = ready[key];
  if (typeof port !== "number") throw new DemoError(`the ready line names no ${key} port`);
  return port;
}

/** Makes a tenant unless it is there. Says whether it was made. */
export async function ensureTenant({ cloud }: Paths, tenant: string = TENANT): Promise<boolean> {
  const common = ["--data", cloud, "--dev", "--json"];
  const known = await runProgram("kerbside-cloud", ["tenant", "list", ...common]);
  if (known.some((row) => row["tenant"] === tenant)) return false;
  await runProgram("kerbside-cloud", ["tenant", "create", tenant, ...common]);
  return true;
}

export type Cloud = {
  readonly program: Program;
  readonly ports: Ports;
  readonly call: Caller;
  /** What the typed client sends by. */
  readonly send: Send;
};

/** Starts `kerbside-cloud serve`; port 0 takes any free one. `more` are further words of its command line. */
export function startCloud(
  paths: Paths,
  ports: Ports,
  more: readonly string[] = [],
): { readonly program: Program; readonly up: Promise<Cloud> } {
  const program = startProgram(
    "kerbside-cloud",
    [
      ...["serve", "--data", paths.cloud, "--dev", "--json"],
      ...["--https-port", `${ports.https}`, "--broker-port", `${ports.broker}`],
      ...["--wake-gateway", paths.wakeGateway],
      ...more,
    ],
    paths.log("cloud"),
  );
  const up = async (): Promise<Cloud> => {
    const ready = await program.ready;
    const bound = { https: portOf(ready, "https"), broker: portOf(ready, "broker") };
    const ca = readFileSync(paths.ca, "utf8");
    return {
      program,
      ports: bound,
      call: httpsCaller(bound.https, ca),
      send: httpsSend(bound.https, ca),
    };
  };
  return { program, up: up() };
}

export type Sim = {
  readonly program: Program;
  readonly port: number;
  readonly call: Caller;
  readonly key: string;
  /** Where the module connects to instead of the broker; undefined where there is no network of the car's. */
  readonly networkPort: number | undefined;
};

/** Starts the car's body, engine and lock controller with the cockpit. `more` are further words of its command line. */
export function startSim(
  paths: Paths,
  port: number,
  more: readonly string[] = [],
): { readonly program: Program; readonly up: Promise<Sim> } {
  if (!existsSync(paths.pairingKey)) {
    writeFileSync(paths.pairingKey, randomBytes(32).toString("hex"), { mode: 0o600 });
  }
  const tls = join(paths.cloud, "tls");
  const program = startProgram(
    "kerbside-sim",
    [
      ...["drive", "--data", join(paths.data, "sim"), "--port", `${port}`, "--json"],
      ...["--tls-cert", join(tls, "server.pem"), "--tls-key", join(tls, "server.key")],
      ...["--pairing-key", paths.pairingKey],
      ...more,
    ],
    paths.log("sim"),
  );
  const up = async (): Promise<Sim> => {
    const ready = await program.ready;
    const bound = portOf(ready, "https");
    const { network } = ready;
    const networkPort = typeof network === "number" ? network : undefined;
    const ca = readFileSync(paths.ca, "utf8");
    const call = httpsCaller(bound, ca);
    const key = readFileSync(paths.cockpitKey, "utf8").trim();
    const gateway = { url: `https://localhost:${bound}/api/sms`, token: key, ca };
    writeFileSync(paths.wakeGateway, `${JSON.stringify(gateway)}\n`, { mode: 0o600 });
    return { program, port: bound, call, key, networkPort };
  };
  return { program, up: up() };
}

/** Gets a one-time token for the car unless it has joined already. Says whether it did. */
export async function ensureEnrolment(paths: Paths): Promise<boolean> {
  const data = ["--data", paths.cloud, "--dev", "--json"];
  const cars = await runProgram("kerbside-cloud", ["vehicle", "list", "--tenant", TENANT, ...data]);
  if (cars.some((car) => car["vehicle"] === VEHICLE)) return false;
  const [made] = await runProgram("kerbside-cloud", [
    ...[
      "vehicle",
      "enrol",
      "--tenant",
      TENANT,
      "--vehicle",
      VEHICLE,
      "--profile",
      PROFILE,
      ...data,
    ],
  ]);
  if (typeof made?.["token"] !== "string") throw new DemoError("vehicle enrol gave no token");
  writeFileSync(paths.token, made["token"], { mode: 0o600 });
  return true;
}

/**
 * Starts the real agent against the simulated car. `broker` may be another port: a proxy in between. `more` is put in
 * place of parts of its configuration.
 */
export function startAgent(
  paths: Paths,
  ports: Ports,
  more: Readonly<Record<string, unknown>> = {},
): Program {
  writeConfig(paths, { ...agentConfig(paths, ports), ...more });
  return startProgram(
    "kerbside-agent",
    ["run", "--config", paths.agentConfig, "--json"],
    paths.log("agent"),
  );
}

/** The same, in a module whose power, clock and disk are the cockpit's, behind the car's mobile network. */
export function startModule(paths: Paths, ports: Ports, networkPort: number): Program {
  writeConfig(paths, agentConfig(paths, { https: ports.https, broker: networkPort }));
  return startProgram(
    "kerbside-sim",
    [
      ...["module", "--data", join(paths.data, "sim"), "--"],
      ...[process.execPath, "device/main.ts", "run", "--config", paths.agentConfig, "--json"],
    ],
    paths.log("agent"),
  );
}

/** The further words of a simulated car that shows its module, and what the operator's API says of it. */
export function surroundings(paths: Paths, ports: Ports): readonly string[] {
  const file = join(paths.data, "secrets", "cockpit-cloud.json");
  const access = {
    url: `https://localhost:${ports.https}`,
    ca: readFileSync(paths.ca, "utf8"),
    tenant: TENANT,
    vehicle: VEHICLE,
    client: `${TENANT}-backend`,
    secret: readFileSync(paths.clientSecret, "utf8").trim(),
  };
  writeFileSync(file, `${JSON.stringify(access)}\n`, { mode: 0o600 });
  return [
    ...["--network", `localhost:${ports.broker}`, "--cloud", file],
    ...["--module", join(paths.data, "agent", "state")],
  ];
}

function writeConfig({ agentConfig: file }: Paths, config: object): void {
  writeFileSync(file, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
}

/** The agent's configuration, with all the hardware that the simulated car has. */
export function agentConfig(paths: Paths, ports: Ports): Readonly<Record<string, unknown>> {
  const { data } = paths;
  return {
    tenant: TENANT,
    vehicle: VEHICLE,
    dataDir: "state",
    profile: PROFILE,
    enrolment: {
      url: `https://localhost:${ports.https}`,
      caFile: paths.ca,
      tokenFile: paths.token,
    },
    broker: { host: "localhost", port: ports.broker },
    bus: { driver: "socket", path: join(data, "sim", "can.sock") },
    lock: { path: join(data, "sim", "lock.sock"), pairingKeyFile: paths.pairingKey },
    reader: {
      path: join(data, "sim", "reader.sock"),
      pairingKeyFile: join(data, "sim", "reader.key"),
    },
    modem: { path: join(data, "sim", "modem.sock") },
  };
}
