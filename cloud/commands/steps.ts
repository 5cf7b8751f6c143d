/**
 * The steps of commands: the pure life cycle (life-cycle.ts) applied to what the store has. Steps on the way of a command
 * whose answer somebody waits for are recorded together with that answer, or a little later: a crash in between leaves
 * `signed`, from which the same follows. What is told to anybody has been recorded before.
 */
import {
  type Clock,
  type CommandChange,
  type CommandRecord,
  type CommandStep,
  type Log,
  ProtocolError,
  type TenantId,
  type TenantStore,
} from "@kerbside/protocol";
import type { Flight, Flights } from "./flights.ts";
import { Keyed } from "./keyed.ts";
import {
  isFinal,
  type LifeChange,
  type LifeEvent,
  type LifeStep,
  lifeOf,
  next,
} from "./life-cycle.ts";
import { stepAudit } from "./step-audit.ts";

/** How far the store may be behind with steps on the way. */
const BEHIND_MS_MAX = 50;
const ON_THE_WAY: ReadonlySet<CommandChange["state"]> = new Set(["sent", "received"]);

export type StepParts = {
  readonly flights: Flights;
  readonly clock: Clock;
  readonly log: Log;
  /** What becomes of a command that is armed on the car for `armMs`. */
  readonly armed: (armMs: number | undefined) => LifeChange;
  /** Told of each command that has ended, once it is recorded. */
  readonly ended?: ((record: CommandRecord) => void) | undefined;
};
export type StepOf = {
  readonly tenant: TenantId;
  readonly store: TenantStore;
  readonly id: string;
  readonly event: LifeEvent;
  readonly actor: string;
  /** Runs after the step is recorded and before anybody is told. */
  readonly before?: (() => Promise<void>) | undefined;
};
export type Stepped = { readonly record: CommandRecord; readonly step: LifeStep };

export class CommandSteps {
  readonly #parts: StepParts;
  readonly #keyed = new Keyed();

  constructor(parts: StepParts) {
    this.#parts = parts;
  }

  /** Runs work on one command, one after another. */
  inTurn<T>(tenant: TenantId, id: string, work: () => Promise<T>): Promise<T> {
    return this.#keyed.run(`${tenant} ${id}`, work);
  }

  apply(of: StepOf): Promise<Stepped> {
    return this.inTurn(of.tenant, of.id, () => this.step(of));
  }

  /** Within `inTurn`. Throws ProtocolError `not_found`. */
  async step({ tenant, store, id, event, actor, before }: StepOf): Promise<Stepped> {
    const { flights, clock } = this.#parts;
    const flight = flights.get(tenant, id);
    const current = await this.look(store, tenant, id);
    const step = next(lifeOf(current), event);
    if (step.kind !== "step") return { record: current, step };
    const { armed } = this.#parts;
    const change = step.change.state === "armed" ? armed(flight?.ask.armMs) : step.change;
    const audit = stepAudit(id, change.state, change.error, actor);
    const mine: CommandStep = { change, audit, atMs: clock.wallMs() };
    if (flight?.ask.awaited === true && ON_THE_WAY.has(change.state)) {
      flight.passed = [...flight.passed, mine];
      flight.flush ??= clock.after(BEHIND_MS_MAX, () => this.#flush(store, flight));
      flights.changed(tenant, id);
      return { record: overlaid(current, [mine]), step };
    }
    const passed = taken(flight);
    const record = await store.stepCommand(id, [...passed, mine]);
    if (record.state !== change.state) {
      return { record, step: { kind: "ignore", why: `it is ${record.state} already` } };
    }
    await before?.();
    if (isFinal(record.state)) {
      flights.end(tenant, id);
      this.#parts.ended?.(record);
    }
    flights.changed(tenant, id);
    return { record, step };
  }

  /** A command as it stands, with what is not recorded yet. Throws ProtocolError `not_found`. */
  async look(store: TenantStore, tenant: TenantId, id: string): Promise<CommandRecord> {
    const record = await store.command(id);
    if (record === undefined) throw new ProtocolError("not_found", "command: there is none such");
    return overlaid(record, this.#parts.flights.get(tenant, id)?.passed ?? []);
  }

  /** As it stands, all of it recorded. Throws ProtocolError `not_found`. */
  async settled(store: TenantStore, tenant: TenantId, id: string): Promise<CommandRecord> {
    const flight = this.#parts.flights.get(tenant, id);
    if (flight !== undefined && flight.passed.length > 0) {
      await this.inTurn(tenant, id, () => record(store, flight));
    }
    return this.look(store, tenant, id);
  }

  /** Resolves when all is recorded and nothing is under way. */
  async idle(storeOf: (tenant: TenantId) => Promise<TenantStore>): Promise<void> {
    await this.#keyed.idle();
    for (const flight of this.#parts.flights.all()) {
      if (flight.passed.length > 0) await record(await storeOf(flight.tenant), flight);
    }
  }

  #flush(store: TenantStore, flight: Flight): void {
    const { log } = this.#parts;
    this.inTurn(flight.tenant, flight.id, () => record(store, flight)).catch((error: unknown) => {
      // The next step, or the deadline, meets the same fault, or goes on from what is recorded.
      const code = error instanceof ProtocolError ? error.code : "unavailable";
      log.error("command.step_failed", { code });
    });
  }
}

async function record(store: TenantStore, flight: Flight): Promise<void> {
  const passed = taken(flight);
  if (passed.length > 0) await store.stepCommand(flight.id, passed);
}

/** What is not recorded yet, to be recorded now. */
function taken(flight: Flight | undefined): readonly CommandStep[] {
  if (flight === undefined) return [];
  const { passed } = flight;
  flight.flush?.cancel();
  flight.flush = undefined;
  flight.passed = [];
  return passed;
}

function overlaid(record: CommandRecord, passed: readonly CommandStep[]): CommandRecord {
  const last = passed.at(-1);
  if (last === undefined || isFinal(record.state)) return record;
  const steps = passed.map(({ change, atMs }) => ({ state: change.state, atMs }));
  return { ...record, ...last.change, steps: [...record.steps, ...steps] };
}
