/**
 * `unlock`: from the HTTPS request to the car's signed answer at the caller, with every part real and in its own
 * process, and simulated hardware that takes no time. Against a floor in the same run: one bare sequential pipeline with
 * the same crypto and the commits that the order of work needs. Both are asked in turns, one a second at most, because
 * the signer lets no car be asked more often.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomBytes, toHex } from "@kerbside/protocol";
import { prepareFolder } from "../../scripts/demo/options.ts";
import {
  type Cloud,
  ensureEnrolment,
  ensureTenant,
  type Paths,
  pathsOf,
  startAgent,
  startCloud,
} from "../../scripts/demo/parts.ts";
import type { Program } from "../../scripts/demo/processes.ts";
import type { Benchmark, Row } from "../benchmark.ts";
import type { FloorConfig } from "./floor-config.ts";

const WARM_UP = 8;
const SAMPLES = 60;
const BARE_SAMPLES = 300;
/** The signer's bucket of a car gets one a second. */
const PAUSE_MS = 1050;
const ONLINE_MS_MAX = 30_000;
/** Issue: at most 1.5 times the floor; from the signer to the answer 3.2 times a bare request and reply. */
const GOAL = { of: "ratio", atMost: 1.5 } as const;
const GOAL_SIGNED = { of: "ratio", atMost: 3.2 } as const;
const AUDIENCE = "kerbside";

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };
type Ask = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** One caller with one kept connection, the same for both sides. */
class Caller implements Disposable {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(port: number, ca: string) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  }

  ask({ method = "GET", path, headers = {}, body }: Ask): Promise<Answer> {
    return new Promise((done, fail) => {
      const options = { host: "localhost", port: this.#port, agent: this.#agent };
      const outgoing = request({ ...options, method, path, headers }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("end", () => {
          const text = Buffer.concat(parts).toString();
          done({ status: incoming.statusCode ?? 0, body: text === "" ? {} : JSON.parse(text) });
        });
      });
      outgoing.setNoDelay(true);
      outgoing.on("error", fail);
      outgoing.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

type System = {
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
    await pause(100);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** The whole system as `npm start` has it, but for the simulated bolts' time. */
async function startSystem(paths: Paths, stack: AsyncDisposableStack): Promise<System> {
  const own = (program: Program): void => stack.defer(() => program.stop());
  await ensureTenant(paths);
  const starting = startCloud(paths, { https: 0, broker: 0 });
  own(starting.program);
  const cloud: Cloud = await starting.up;
  await startController(paths, stack);
  await ensureEnrolment(paths);
  own(startAgent(paths, cloud.ports));
  const ca = readFileSync(paths.ca, "utf8");
  const caller = stack.use(new Caller(cloud.ports.https, ca));
  const token = await tokenOf(caller, join(paths.cloud, "secrets", "client-demo-operator"));
  await online({ caller, token });
  const { body } = await caller.ask({ path: "/oauth/jwks" });
  const keys: FloorConfig["tokens"]["keys"] = JSON.parse(JSON.stringify(body));
  return { paths, caller, issuer: `https://localhost:${cloud.ports.https}`, token, keys };
}

/** Instead of the simulated car, whose body moves in steps of 10 ms. */
async function startController(
  { data, pairingKey }: Paths,
  stack: AsyncDisposableStack,
): Promise<void> {
  mkdirSync(join(data, "sim"), { recursive: true });
  writeFileSync(pairingKey, toHex(randomBytes(32)), { mode: 0o600 });
  await startPart("null-controller.ts", [join(data, "sim", "lock.sock"), pairingKey], stack);
}

type Ready = { readonly https?: number; readonly broker?: number };

function startPart(
  name: string,
  words: readonly string[],
  stack: AsyncDisposableStack,
): Promise<Ready> {
  const file = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const child: ChildProcess = fork(file, words);
  stack.defer(() => {
    child.kill("SIGKILL");
  });
  return new Promise((done, fail) => {
    child.once("message", (message: Ready) => done(message));
    child.once("exit", (code) => fail(new Error(`${name}: ended with ${code}`)));
  });
}

async function startFloor(system: System, stack: AsyncDisposableStack): Promise<Caller> {
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
  };
  const part = (name: string, more: Partial<FloorConfig> = {}): Promise<Ready> =>
    startPart(name, [JSON.stringify({ ...config, ...more })], stack);
  await part("floor-signer.ts");
  const { https = 0, broker = 0 } = await part("floor-node.ts");
  await part("floor-car.ts", { brokerPort: broker });
  return stack.use(new Caller(https, tls.ca));
}

async function timed(run: () => Promise<Answer>): Promise<{ ms: number; answer: Answer }> {
  const started = performance.now();
  const answer = await run();
  return { ms: performance.now() - started, answer };
}

type Found = { readonly ours: number[]; readonly floor: number[]; readonly signed: number[] };

async function takeTurns(system: System, floor: Caller): Promise<Found> {
  const found: Found = { ours: [], floor: [], signed: [] };
  const headers = (): Readonly<Record<string, string>> => ({
    authorization: `Bearer ${system.token}`,
    "content-type": "application/json",
    "idempotency-key": randomUUID(),
  });
  for (let turn = -WARM_UP; turn < SAMPLES; turn += 1) {
    const body = JSON.stringify({ action: turn % 2 === 0 ? "unlock" : "lock" });
    const ours = await timed(() =>
      system.caller.ask({
        method: "POST",
        path: "/v1/tenants/demo/vehicles/car-1/commands?wait=10000",
        headers: headers(),
        body,
      }),
    );
    if (ours.answer.body["state"] !== "executed") {
      throw new Error(`not executed: ${JSON.stringify(ours.answer.body)}`);
    }
    const bare = await timed(() =>
      floor.ask({ method: "POST", path: "/", headers: headers(), body }),
    );
    if (turn >= 0) {
      found.ours.push(ours.ms);
      found.floor.push(bare.ms);
      found.signed.push(signedToExecuted(ours.answer));
    }
    await pause(Math.max(0, PAUSE_MS - ours.ms - bare.ms));
  }
  return found;
}

/** From the signed command's record to the executed one's, by the store's clock of whole milliseconds. */
function signedToExecuted({ body }: Answer): number {
  const steps = Array.isArray(body["steps"]) ? body["steps"] : [];
  const at = (state: string): number =>
    Date.parse(steps.find((step: { state: string }) => step.state === state)?.at ?? "");
  return at("executed") - at("signed");
}

async function bareReplies(floor: Caller): Promise<readonly number[]> {
  const took: number[] = [];
  for (let i = 0; i < BARE_SAMPLES; i += 1) {
    const { body } = await floor.ask({ path: "/bare" });
    took.push(Number(body["took"]));
  }
  return took;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

async function* run(): AsyncGenerator<Row, void, undefined> {
  const data = mkdtempSync(join(tmpdir(), "kb-unlock-"));
  try {
    await using stack = new AsyncDisposableStack();
    prepareFolder(data);
    const system = await startSystem(pathsOf(data), stack);
    const floor = await startFloor(system, stack);
    const bare = await bareReplies(floor);
    const found = await takeTurns(system, floor);
    yield {
      what: "unlock or lock, HTTPS request to signed answer (embedded broker)",
      unit: "ms",
      ours: { name: "kerbside", values: found.ours },
      peer: { name: "floor", values: found.floor },
      goal: GOAL,
    };
    yield {
      what: "the same, 99th percentile (noisy: gates nothing)",
      unit: "ms",
      ours: { name: "kerbside", values: [quantile(found.ours, 0.99)] },
      peer: { name: "floor", values: [quantile(found.floor, 0.99)] },
      goal: null,
    };
    yield {
      what: "from the signed command to the recorded answer (whole ms) against a bare request and reply",
      unit: "ms",
      ours: { name: "kerbside", values: found.signed },
      peer: { name: "request and reply", values: bare },
      goal: GOAL_SIGNED,
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

export const unlockBenchmark: Benchmark = {
  name: "unlock",
  why: "a command from HTTPS to the car's signed answer, against a bare pipeline",
  run,
};
