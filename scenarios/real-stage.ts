/**
 * The stage in real time: cloud, simulated car and agent as processes of their own, started by the command lines that
 * anybody calls, in a directory of its own. The module's connection goes through the car's mobile network.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { inspectBuffer } from "@kerbside/buffer";
import { toHex, verifyKey } from "@kerbside/protocol";
import {
  type Coverage,
  type Json,
  type Stage,
  type StageAnswer,
  type StageAsk,
  StageError,
} from "@kerbside/sim";
import { loadIdentity } from "@kerbside/uplink";
import { prepareFolder } from "../scripts/demo/options.ts";
import {
  type Cloud,
  ensureEnrolment,
  ensureTenant,
  type Paths,
  pathsOf,
  type Sim,
  startAgent,
  startCloud,
  startSim,
  TENANT,
  VEHICLE,
} from "../scripts/demo/parts.ts";
import { type Program, runProgram } from "../scripts/demo/processes.ts";

const ONLINE_MS_MAX = 60_000;
const POLL_MS = 200;
const TOKEN_SPARE_MS = 30_000;
const PAGE = 1000;
const LOG_LINES = 20;

export async function realStage(): Promise<Stage> {
  const stage = new RealStage();
  try {
    await stage.begin();
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

type Token = { readonly value: string; readonly untilMs: number };

class RealStage implements Stage {
  readonly name = "real";
  readonly vehicle: string = VEHICLE;
  readonly #paths: Paths;
  readonly #programs = new Set<Program>();
  readonly #tokens = new Map<string, Token>();
  #cloud: Cloud | undefined;
  #sim: Sim | undefined;
  #agent: Program | undefined;
  #networkPort = 0;
  #beganMs = 0;
  /** Keys of requests are asked once, whichever scenario asked before. */
  readonly #run: string = randomUUID();

  constructor() {
    this.#paths = pathsOf(mkdtempSync(join(tmpdir(), "kerbside-real-")));
  }

  async begin(): Promise<void> {
    prepareFolder(this.#paths.data);
    await ensureTenant(this.#paths);
    await this.cloud(true);
    const { ports } = this.#theCloud();
    const network = ["--network", `localhost:${ports.broker}`];
    const { program, up } = startSim(this.#paths, 0, network);
    this.#programs.add(program);
    this.#sim = await up;
    this.#networkPort = Number((await program.ready)["network"]);
    await ensureEnrolment(this.#paths);
    await this.agent("start");
    await this.#online();
    this.#beganMs = performance.now();
  }

  nowMs = (): number => performance.now() - this.#beganMs;
  wallMs = (): number => Date.now();
  pass = async (ms: number): Promise<void> => {
    await delay(ms);
  };
  during = <T>(work: Promise<T>): Promise<T> => work;

  async ask({ method, path, body, key, asOperator = false }: StageAsk): Promise<StageAnswer> {
    const { call } = this.#theCloud();
    const token = await this.#bearer(asOperator ? "operator" : "backend");
    const answer = await call(`/v1/tenants/${TENANT}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(key !== undefined && { "idempotency-key": `${this.#run}-${key}` }),
      },
      ...(body !== undefined && { body }),
    });
    return { status: answer.status, body: isJson(answer.body) ? answer.body : {} };
  }

  async events(): Promise<readonly Json[]> {
    const all: Json[] = [];
    for (let after = ""; ; ) {
      const more = after === "" ? "" : `&after=${encodeURIComponent(after)}`;
      const path = `/events?vehicle=${VEHICLE}&limit=${PAGE}${more}`;
      const { body } = await this.ask({ method: "GET", path });
      if (Array.isArray(body["items"])) all.push(...body["items"].filter(isJson));
      if (typeof body["next"] !== "string") return all;
      after = body["next"];
    }
  }

  alarms = (): Promise<readonly string[]> => cannot("tell of alarms");
  quarantined = (): Promise<readonly string[]> => cannot("look into the quarantine");
  car = (): Promise<Json> => this.#cockpit("/api/state");

  act: Stage["act"] = async (action) => {
    const { status, body } = await this.#askCockpit("/api/action", action);
    if (status === 200) return undefined;
    return isJson(body) ? String(body["detail"]) : `status ${status}`;
  };

  tap: Stage["tap"] = async (what) => {
    const { shown } = await this.#cockpit("/api/tap", tapBody(what));
    return String(shown) as Awaited<ReturnType<Stage["tap"]>>;
  };

  drive: Stage["drive"] = async (ms, kmhMax) => {
    const driveSeconds = ms / 1000;
    const { status, body } = await this.#askCockpit("/api/script", { driveSeconds, kmhMax });
    if (status === 200) return { done: true };
    return { done: false, why: isJson(body) ? String(body["detail"]) : `status ${status}` };
  };

  fault: Stage["fault"] = async (fault, on) => {
    await this.#cockpit("/api/action", { type: "fault", fault, on });
  };

  coverage = async (coverage: Coverage): Promise<void> => {
    await this.#cockpit("/api/network", { coverage });
  };

  // A network that reaches everything but the broker is, for the car, one without coverage.
  broker = (up: boolean): Promise<void> => this.coverage(up ? "full" : "none");

  async cloud(up: boolean): Promise<void> {
    if (!up) {
      const cloud = this.#theCloud();
      this.#programs.delete(cloud.program);
      await cloud.program.stop();
      return;
    }
    const started = startCloud(this.#paths, this.#cloud?.ports ?? { https: 0, broker: 0 });
    this.#programs.add(started.program);
    this.#cloud = await started.up;
  }

  async power(on: boolean): Promise<void> {
    if (on) await this.agent("start");
    else await this.#end("kill");
  }

  async agent(what: "stop" | "start"): Promise<void> {
    if (what === "stop") {
      await this.#end("stop");
      return;
    }
    if (this.#agent !== undefined) return;
    const ports = { https: this.#theCloud().ports.https, broker: this.#networkPort };
    this.#agent = startAgent(this.#paths, ports);
    this.#programs.add(this.#agent);
    await this.#agent.ready;
  }

  clock = (): Promise<void> => cannot("set the clock of this machine");
  disk = (): Promise<void> => cannot("copy the module's disk");

  async revoke(): Promise<void> {
    await runProgram("kerbside-cloud", [
      ...["vehicle", "revoke", "--tenant", TENANT, "--vehicle", VEHICLE],
      ...["--data", this.#paths.cloud, "--dev", "--json"],
    ]);
  }

  async waiting(): Promise<number> {
    const state = join(this.#paths.data, "agent", "state");
    const identity = loadIdentity(join(state, "identity"));
    if (identity === undefined) return 0;
    const key = verifyKey(identity.signingKey.publicKey);
    return inspectBuffer(join(state, "buffer"), key).filter(({ count }) => count > 0).length;
  }

  log(): readonly string[] {
    try {
      const lines = readFileSync(this.#paths.log("agent"), "utf8").trim().split("\n");
      return lines.slice(-LOG_LINES);
    } catch {
      return [];
    }
  }

  async close(): Promise<void> {
    for (const program of [...this.#programs].toReversed()) await program.stop();
    rmSync(this.#paths.data, { recursive: true, force: true });
  }

  async #end(how: "stop" | "kill"): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined) return;
    this.#agent = undefined;
    this.#programs.delete(agent);
    await agent[how]();
  }

  async #online(): Promise<void> {
    const deadline = Date.now() + ONLINE_MS_MAX;
    while (Date.now() < deadline) {
      const { body } = await this.ask({ method: "GET", path: `/vehicles/${VEHICLE}` });
      if (body["online"] === true) return;
      await delay(POLL_MS);
    }
    throw new Error(`${VEHICLE} did not come online within ${ONLINE_MS_MAX / 1000} s`);
  }

  async #bearer(who: "backend" | "operator"): Promise<string> {
    const known = this.#tokens.get(who);
    if (known !== undefined && Date.now() < known.untilMs) return known.value;
    const { clientSecret, operatorSecret } = this.#paths;
    const secret = readFileSync(who === "backend" ? clientSecret : operatorSecret, "utf8").trim();
    const basic = Buffer.from(`${TENANT}-${who}:${secret}`).toString("base64");
    const { status, body } = await this.#theCloud().call("/oauth/token", {
      method: "POST",
      headers: { authorization: `Basic ${basic}` },
      body: "grant_type=client_credentials",
    });
    if (status !== 200 || !isJson(body)) throw new Error(`the token endpoint answered ${status}`);
    const untilMs = Date.now() + Number(body["expires_in"]) * 1000 - TOKEN_SPARE_MS;
    const value = String(body["access_token"]);
    this.#tokens.set(who, { value, untilMs });
    return value;
  }

  async #askCockpit(
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const sim = this.#sim;
    if (sim === undefined) throw new Error("the simulated car is not up");
    const headers = { authorization: `Bearer ${sim.key}` };
    return await sim.call(
      path,
      body === undefined ? { headers } : { method: "POST", headers, body },
    );
  }

  async #cockpit(path: string, body?: unknown): Promise<Json> {
    const { status, body: answer } = await this.#askCockpit(path, body);
    if (status !== 200 || !isJson(answer))
      throw new Error(`cockpit ${path}: ${status} ${JSON.stringify(answer)}`);
    return answer;
  }

  #theCloud(): Cloud {
    if (this.#cloud === undefined) throw new Error("the cloud is not up");
    return this.#cloud;
  }
}

function tapBody(what: Parameters<Stage["tap"]>[0]): Json {
  const { kind } = what;
  if (kind === "card") {
    const { uid, key, pin } = what;
    return {
      kind,
      uid: toHex(uid),
      ...(key !== undefined && { key: toHex(key) }),
      ...(pin !== undefined && { pin }),
    };
  }
  const { seed, action, carried } = what;
  const more = carried === undefined ? {} : { carried: Buffer.from(carried).toString("base64url") };
  return { kind, seed: toHex(seed), action, ...more };
}

function cannot(what: string): Promise<never> {
  return Promise.reject(new StageError(`the real stage cannot ${what}`));
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
