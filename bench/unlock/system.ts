/** The whole system as `npm start` has it, but for the simulated hardware's time, and the floor beside it. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomBytes, toHex } from "@kerbside/protocol";
import {
  agentConfig,
  type Cloud,
  ensureEnrolment,
  ensureTenant,
  type Paths,
  startCloud,
} from "../../scripts/demo/parts.ts";
import type { Program } from "../../scripts/demo/processes.ts";
import { mosquittoFor } from "../../test/support/mosquitto.ts";
import { Caller } from "./caller.ts";
import type { FloorConfig } from "./floor-config.ts";

const ONLINE_MS_MAX = 30_000;
const LOOK_MS = 100;
const AUDIENCE = "kerbside";

export type System = {
  readonly paths: Paths;
  readonly caller: Caller;
  readonly issuer: string;
  readonly token: string;
  readonly keys: FloorConfig["tokens"]["keys"];
};

async function tokenOf(caller: Caller, secretFile: string): Promise<string> {
  const secret = readFileSync(secretFile, "utf8").trim();
  const { status, body } = await caller.ask({
    method: "POST",
    path: "/oauth/token",
    headers: {
      authorization: `Basic ${Buffer.from(`demo-operator:${secret}`).toString("base64")}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: "grant_type=client_credentials",
  });
  const token = body["access_token"];
  if (status !== 200 || typeof token !== "string") throw new Error(`token: ${status}`);
  return token;
}

async function online({ caller, token }: Pick<System, "caller" | "token">): Promise<void> {
  const path = "/v1/tenants/demo/vehicles/car-1";
  const headers = { authorization: `Bearer ${token}` };
  for (const end = Date.now() + ONLINE_MS_MAX; ; ) {
    const { body } = await caller.ask({ path, headers });
    if (body["online"] === true) return;
    if (Date.now() > end) throw new Error("the car did not come online");
    await pause(LOOK_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** With the embedded broker, or with mosquitto. */
export type BrokerKind = "embedded broker" | "mosquitto";

export async function startSystem(
  paths: Paths,
  kind: BrokerKind,
  stack: AsyncDisposableStack,
): Promise<System> {
  const own = (program: Program): void => stack.defer(() => program.stop());
  await ensureTenant(paths);
  const outside = kind === "mosquitto" ? stack.use(await mosquittoFor(paths)).file : undefined;
  const words = outside === undefined ? [] : ["--broker", outside];
  const starting = startCloud(paths, { https: 0, broker: 0 }, words);
  own(starting.program);
  const cloud: Cloud = await starting.up;
  await ensureEnrolment(paths);
  mkdirSync(join(paths.data, "sim"), { recursive: true });
  writeFileSync(paths.pairingKey, toHex(randomBytes(32)), { mode: 0o600 });
  const config = { ...agentConfig(paths, cloud.ports), reader: undefined, modem: undefined };
  writeFileSync(paths.agentConfig, JSON.stringify(config), { mode: 0o600 });
  await startPart("car.ts", [paths.agentConfig], stack);
  const ca = readFileSync(paths.ca, "utf8");
  const caller = stack.use(new Caller(cloud.ports.https, ca));
  const token = await tokenOf(caller, join(paths.cloud, "secrets", "client-demo-operator"));
  await online({ caller, token });
  const { body } = await caller.ask({ path: "/oauth/jwks" });
  const keys: FloorConfig["tokens"]["keys"] = JSON.parse(JSON.stringify(body));
  return { paths, caller, issuer: `https://localhost:${cloud.ports.https}`, token, keys };
}

type Ready = { readonly https?: number; readonly broker?: number };

function startPart(
  name: string,
  words: readonly string[],
  stack: AsyncDisposableStack,
): Promise<Ready> {
  const file = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const child: ChildProcess = fork(file, words, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  stack.defer(() => {
    child.kill("SIGKILL");
  });
  return new Promise((done, fail) => {
    child.once("message", (message: Ready) => done(message));
    child.once("exit", (code) => fail(new Error(`${name}: ended with ${code}`)));
  });
}

export async function startFloor(
  system: System,
  kind: BrokerKind,
  stack: AsyncDisposableStack,
): Promise<Caller> {
  const { paths, issuer, keys } = system;
  const file = (name: string): string => readFileSync(join(paths.cloud, "tls", name), "utf8");
  const dir = join(paths.data, "floor");
  mkdirSync(dir);
  const tls = { key: file("server.key"), cert: file("server.pem"), ca: file("ca.pem") };
  const config: FloorConfig = {
    dir,
    seed: toHex(randomBytes(32)),
    tokens: { issuer, audience: AUDIENCE, keys },
    tls,
    carDir: join(dirname(paths.agentConfig), "state", "identity"),
    brokerPort: 0,
    // One of its own: the floor's car has the same name.
    outside:
      kind === "mosquitto" ? stack.use(await mosquittoFor(paths, "floor-broker")).file : undefined,
  };
  const part = (name: string, more: Partial<FloorConfig> = {}): Promise<Ready> =>
    startPart(name, [JSON.stringify({ ...config, ...more })], stack);
  await part("floor-signer.ts");
  const { https = 0, broker = 0 } = await part("floor-node.ts");
  await part("floor-car.ts", { brokerPort: broker });
  return stack.use(new Caller(https, tls.ca));
}
