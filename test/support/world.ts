/**
 * A whole system in a directory of its own: cloud, simulated car and agent as real processes, started by their own
 * command lines, each of which a test may kill, stop and start again. Everything is ended with the world.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Backend, isJson, type Json } from "../../scripts/demo/api.ts";
import { prepareFolder } from "../../scripts/demo/options.ts";
import {
  type Cloud,
  ensureEnrolment,
  ensureTenant,
  type Paths,
  type Ports,
  pathsOf,
  type Sim,
  startAgent,
  startCloud,
  startModule,
  startSim,
  surroundings,
  TENANT,
  VEHICLE,
} from "../../scripts/demo/parts.ts";
import { type Program, runProgram } from "../../scripts/demo/processes.ts";

const POLL_MS = 50;
const WAIT_MS_MAX = 60_000;
/** A car that was away for a while tries again after up to a minute (the uplink's longest back-off), and may fail once. */
export const BACK_MS_MAX = 130_000;

export type Row = Json & { readonly log: string; readonly lane: string };

export class World implements AsyncDisposable {
  readonly paths: Paths;
  readonly #cloudWords: readonly string[];
  readonly #programs = new Set<Program>();
  #cloud: Cloud | undefined;
  #sim: Sim | undefined;
  #agent: Program | undefined;

  private constructor(paths: Paths, cloudWords: readonly string[]) {
    this.paths = paths;
    this.#cloudWords = cloudWords;
  }

  /**
   * A cloud with the demo tenant, and nothing of a car yet. `words` are further ones of its command line, or made from
   * where things are.
   */
  static async cloudOnly(
    words: readonly string[] | ((paths: Paths) => Promise<readonly string[]>) = [],
  ): Promise<World> {
    const data = mkdtempSync(join(tmpdir(), "kerbside-world-"));
    mkdirSync(data, { recursive: true });
    prepareFolder(data);
    const paths = pathsOf(data);
    await ensureTenant(paths);
    const world = new World(paths, typeof words === "function" ? await words(paths) : words);
    await world.startCloud();
    return world;
  }

  /** The whole system, the car online. `through` may put something between the car and the broker. */
  static async whole(
    through?: (broker: number) => Promise<number>,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<World> {
    const world = await World.cloudOnly();
    await world.join(through, more);
    return world;
  }

  /** The simulated car and its agent join the cloud. See `whole`. */
  async join(
    through?: (broker: number) => Promise<number>,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await this.startSim();
    const broker = (await through?.(this.ports.broker)) ?? this.ports.broker;
    await ensureEnrolment(this.paths);
    await this.startAgent({ ...this.ports, broker }, more);
  }

  /** The same with what is around the module: its network, power, clock and disk are the cockpit's. */
  static async surrounded(words: readonly string[] = []): Promise<World> {
    const world = await World.cloudOnly(words);
    await world.startSim(surroundings(world.paths, world.ports));
    await ensureEnrolment(world.paths);
    const { ports, paths } = world;
    world.#agent = startModule(paths, ports, world.sim.networkPort ?? ports.broker);
    world.#programs.add(world.#agent);
    await world.online(true);
    return world;
  }

  get cloud(): Cloud {
    if (this.#cloud === undefined) throw new Error("the cloud is not up");
    return this.#cloud;
  }

  get sim(): Sim {
    if (this.#sim === undefined) throw new Error("the simulated car is not up");
    return this.#sim;
  }

  get agent(): Program {
    if (this.#agent === undefined) throw new Error("the agent is not up");
    return this.#agent;
  }

  get ports(): Ports {
    return this.cloud.ports;
  }

  get backend(): Backend {
    return new Backend({ cloud: this.cloud, paths: this.paths }, TENANT);
  }

  /** The operator's own people: they may act without a booking. */
  get operator(): Backend {
    const paths = { clientSecret: this.paths.operatorSecret };
    return new Backend({ cloud: this.cloud, paths }, TENANT, "operator");
  }

  /** Starts the cloud, on the ports it had before if it was up already: cars and callers know them. */
  async startCloud(): Promise<void> {
    const { program, up } = startCloud(
      this.paths,
      this.#cloud?.ports ?? { https: 0, broker: 0 },
      this.#cloudWords,
    );
    this.#programs.add(program);
    this.#cloud = await up;
  }

  async startSim(words: readonly string[] = []): Promise<void> {
    const { program, up } = startSim(this.paths, 0, words);
    this.#programs.add(program);
    this.#sim = await up;
  }

  async startAgent(
    ports: Ports = this.ports,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    this.#agent = startAgent(this.paths, ports, more);
    this.#programs.add(this.#agent);
    await this.online(true);
  }

  /** Waits until the API says that the car is there, or away. */
  async online(is: boolean): Promise<void> {
    const what = `car ${is ? "online" : "offline"}`;
    const holds = async (): Promise<boolean> => {
      const { status, body } = await this.backend.ask(`/vehicles/${VEHICLE}`);
      return status === 200 && isJson(body) && body["online"] === is;
    };
    await this.until(what, holds, BACK_MS_MAX);
  }

  /** Polls until it holds; fails with what was waited for, and what the agent last logged. */
  async until(
    what: string,
    holds: () => Promise<boolean>,
    withinMs: number = WAIT_MS_MAX,
  ): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!(await holds())) {
      if (Date.now() > deadline)
        throw new Error(`waited ${withinMs} ms in vain: ${what} (${this.paths.data})`);
      await delay(POLL_MS);
    }
  }

  /** Every stored event and declared gap, over the API. */
  async rows(): Promise<readonly Row[]> {
    return (await this.backend.all(`/events?vehicle=${VEHICLE}&limit=1000`)) as readonly Row[];
  }

  /** The same by the command line that operators use. */
  async listed(): Promise<readonly Row[]> {
    const rows = await runProgram("kerbside-cloud", [
      ...["events", "--tenant", TENANT, "--data", this.paths.cloud, "--json"],
    ]);
    return rows as readonly Row[];
  }

  /** Makes a booking of the car that has begun and lasts an hour. */
  async booking(): Promise<string> {
    const now = Date.now();
    const made = await this.backend.must("/bookings", {
      method: "POST",
      headers: { "idempotency-key": randomUUID() },
      body: {
        vehicle: VEHICLE,
        holder: "tester",
        from: new Date(now - 60_000).toISOString(),
        to: new Date(now + 3_600_000).toISOString(),
      },
    });
    return String(made["booking"]);
  }

  /** Asks for a command and waits for what becomes of it; a problem is returned like an answer. */
  async command(action: string, booking: string, more: Json = {}): Promise<Json> {
    const { body } = await this.backend.ask(`/vehicles/${VEHICLE}/commands?wait=20000`, {
      method: "POST",
      headers: { "idempotency-key": randomUUID() },
      body: { action, booking, ...more },
    });
    return isJson(body) ? body : {};
  }

  /** Drives the simulated car by its cockpit's API. */
  async cockpit(path: string, body?: unknown): Promise<Json> {
    const headers = { authorization: `Bearer ${this.sim.key}` };
    const ask = body === undefined ? { headers } : { method: "POST" as const, headers, body };
    const answer = await this.sim.call(path, ask);
    if (answer.status !== 200 || !isJson(answer.body)) {
      throw new Error(`cockpit ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  /** How often the simulated lock controller has pulsed: the highest id of its actuations, which rise by one. */
  async pulses(): Promise<number> {
    const { controller } = await this.cockpit("/api/state");
    const recent =
      isJson(controller) && Array.isArray(controller["recent"]) ? controller["recent"] : [];
    return Math.max(0, ...recent.filter(isJson).map(({ id }) => Number(id)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of [...this.#programs].toReversed()) await program.stop();
    rmSync(this.paths.data, { recursive: true, force: true });
  }
}

/** Numbers of each log and lane that are missing without a declared gap, or there twice; empty if all is well. */
export function holesAndDoubles(rows: readonly Row[]): readonly string[] {
  const lanes = new Map<string, number[]>();
  const add = (row: Row, numbers: readonly number[]): void => {
    const key = `${row.log} ${row.lane}`;
    lanes.set(key, [...(lanes.get(key) ?? []), ...numbers]);
  };
  for (const row of rows) {
    if (typeof row["seq"] === "number") add(row, [row["seq"]]);
    const gap = row["gap"];
    if (Array.isArray(gap)) {
      const [from, to] = [Number(gap[0]), Number(gap[1])];
      add(
        row,
        Array.from({ length: to - from + 1 }, (_, i) => from + i),
      );
    }
  }
  return [...lanes].flatMap(([key, numbers]) => {
    const sorted = numbers.toSorted((a, b) => a - b);
    return sorted
      .flatMap((seq, i) => (seq === i + 1 ? [] : [`${key}: ${seq} in place ${i + 1}`]))
      .slice(0, 3);
  });
}
