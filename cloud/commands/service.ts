/**
 * Commands on their way: has a request signed, sends it now or never, follows it to its end by signed results or by its
 * deadline. The life cycle is pure (life-cycle.ts); all state is in the store, so another process carries on.
 */
import {
  type Address,
  ARMED_MS_MAX,
  type Clock,
  type CommandRecord,
  type CommandResult,
  type Downlink,
  type ErrorCode,
  equalBytes,
  fromHex,
  type Log,
  ProtocolError,
  type Random,
  type SessionRecord,
  type TenantId,
  type TenantStore,
  toHex,
  type VehicleId,
} from "@kerbside/protocol";
import { type CarMoveParts, moveByResult } from "./car-moves.ts";
import type { CloudTenant } from "./cloud-tenant.ts";
import { COMMAND_DEADLINE_MS, type CommandAsk, newCommand, requested } from "./command-ask.ts";
import { checkAsk } from "./command-check.ts";
import { Flights } from "./flights.ts";
import { isFinal, type LifeChange, type LifeEvent } from "./life-cycle.ts";
import type { SignedCommand, SignerClient } from "./signer/client.ts";
import type { Asker } from "./signer/request-signature.ts";
import { CommandSteps, type StepParts, type Stepped } from "./steps.ts";

/** How many of a vehicle's newest commands are looked through after a restart. */
const PICK_UP_MAX = 100;
/** How long after its deadline a command under way is settled by whoever reads it. */
const SETTLE_MS = 1000;
const WAKE_LOOK_MS = 100;

export type CommandParts = {
  readonly tenant: (id: TenantId) => Promise<CloudTenant | undefined>;
  readonly signer: SignerClient;
  readonly downlink: Downlink;
  /** Whether the car is connected right now, where the broker can say so; else its last session decides. */
  readonly connected?: (address: Address) => boolean;
  /** Rings a sleeping car's wake line (an SMS); without it sleeping cars are away. */
  readonly wake?: (address: Address) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlineMs?: number;
  readonly bookingChanged?: CarMoveParts["bookingChanged"];
  readonly ended?: StepParts["ended"];
  readonly log: Log;
};
/** What the signer is shown of whoever asks. */
type Secrets = Pick<Asker, "token" | "proof">;
type Extras = Pick<CommandAsk, "armMs" | "target" | "wakeMs" | "awaited">;
/** A command to be signed and sent. `otherwise` is the error where a second signing does not come about. */
type Order = {
  readonly tenant: TenantId;
  readonly record: CommandRecord;
  readonly asker: Secrets;
  readonly ask: Extras;
  readonly otherwise?: ErrorCode;
  /** The signing where it was asked for already; `not_found` says that the record came too late for it. */
  readonly early?: Promise<SignedCommand> | undefined;
};
/** `why` says in words why it failed before it was sent, to the one who asked first. */
export type Asked = { readonly record: CommandRecord; readonly why?: string };

export class CommandService {
  readonly #parts: CommandParts;
  readonly #flights: Flights;
  readonly #steps: CommandSteps;
  readonly #closing = new AbortController();

  constructor(parts: CommandParts) {
    this.#parts = parts;
    this.#flights = new Flights(parts.clock);
    this.#steps = new CommandSteps({
      ...parts,
      flights: this.#flights,
      armed: (armMs) => this.#armed(armMs),
    });
  }

  /** Takes up what was under way in these tenants when the process ended. */
  async pickUp(tenants: readonly TenantId[]): Promise<void> {
    for (const tenant of tenants) {
      const store = await this.#store(tenant);
      for (const { vehicle } of await store.vehicles()) {
        const open = (await store.commands(vehicle, PICK_UP_MAX)).filter((c) => !isFinal(c.state));
        for (const record of open) this.#watch(tenant, record);
      }
    }
  }

  /**
   * Resolves when the command was sent, or failed. Nothing is ever queued for later. Throws ProtocolError
   * `not_found`, `forbidden`, `conflict` or `limit_reached` where nothing was accepted.
   */
  async ask(caller: Asker, ask: CommandAsk): Promise<Asked> {
    const store = await this.#store(caller.tenant);
    await checkAsk(store, caller, ask, this.#parts.clock.wallMs());
    if (this.#flights.full)
      throw new ProtocolError("limit_reached", "commands: too many under way");
    const mine = newCommand(caller, ask, this.#parts);
    const session = await store.session(ask.vehicle);
    const recorded = Promise.withResolvers<boolean>();
    // The signer checks the token while this is recorded, and signs nothing that is not recorded.
    const early = this.#online(session, caller.tenant, ask.vehicle)
      ? this.#signed(caller, mine, ask, recorded.promise)
      : undefined;
    early?.catch(() => undefined);
    let record: CommandRecord;
    try {
      record = await store.createCommand(mine, requested(caller, mine.id, ask));
      recorded.resolve(record.id === mine.id);
    } catch (error) {
      recorded.resolve(false);
      throw error;
    }
    if (record.id !== mine.id) {
      if (record.requestDigest === ask.digest) return { record };
      throw new ProtocolError("conflict", "Idempotency-Key: was used for another request");
    }
    this.#watch(caller.tenant, record, caller, ask);
    return this.#drive(store, { tenant: caller.tenant, record, asker: caller, ask, early });
  }

  /**
   * Takes back what was not signed yet. Throws ProtocolError `not_found`, or `conflict` where it is on its way: an
   * armed one is taken back by the action `cancel`, which the car has to hear.
   */
  async cancel(tenant: TenantId, id: string, actor: string): Promise<CommandRecord> {
    const store = await this.#store(tenant);
    const { record } = await this.#apply(tenant, store, id, { kind: "cancelled" }, actor);
    if (record.state !== "cancelled") {
      throw new ProtocolError("conflict", `command: is ${record.state} already`);
    }
    return record;
  }

  /** Throws ProtocolError `not_found`. */
  async get(tenant: TenantId, id: string): Promise<CommandRecord> {
    const store = await this.#store(tenant);
    const record = await this.#steps.settled(store, tenant, id);
    return this.#isLate(record) ? this.#late(tenant, id) : record;
  }

  /** The command once nothing more will come of it, or as it stands after `waitMs`. */
  async wait(
    tenant: TenantId,
    id: string,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<CommandRecord> {
    const untilMs = this.#parts.clock.bootMs() + waitMs;
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const store = await this.#store(tenant);
    for (;;) {
      const record = await this.#steps.look(store, tenant, id);
      const leftMs = untilMs - this.#parts.clock.bootMs();
      if (isFinal(record.state)) return record;
      if (leftMs <= 0 || this.#isLate(record) || stop.aborted || this.#flights.crowded) {
        return this.get(tenant, id);
      }
      await this.#flights.change(tenant, id, leftMs, stop);
    }
  }

  #isLate({ state, deadlineMs }: CommandRecord): boolean {
    return !isFinal(state) && this.#parts.clock.wallMs() > deadlineMs + SETTLE_MS;
  }

  /**
   * Applies a result that verified under the car's key. `envelope` is what the car signed. Rejects only where the
   * store did. Answers why it changed nothing, if so.
   */
  async applyResult(
    address: { readonly tenant: TenantId; readonly vehicle: VehicleId },
    result: CommandResult,
    envelope: Uint8Array,
  ): Promise<string | undefined> {
    const { tenant, vehicle } = address;
    const store = await this.#store(tenant);
    const id = toHex(result.id);
    const known = await store.command(id);
    if (known?.vehicle !== vehicle) return "no command of this vehicle has this id";
    const newerSession =
      result.status === "stale_session" && (await this.#hasNewerSession(store, tenant, known));
    const event: LifeEvent = { kind: "result", result, newerSession };
    const { step, record } = await this.#apply(tenant, store, id, event, `vehicle:${vehicle}`, () =>
      moveByResult(this.#parts, store, known, { result, envelope }),
    );
    if (step.kind === "ignore") return step.why;
    if (step.kind === "resign") {
      const flight = this.#flights.get(tenant, id);
      const asker = flight?.asker;
      const stale: LifeEvent = { kind: "result", result, newerSession: false };
      if (asker === undefined) await this.#apply(tenant, store, id, stale, "kerbside");
      else {
        const ask = flight?.ask ?? {};
        // What was passed by the first signing is recorded before the second.
        await this.#steps.settled(store, tenant, id);
        await this.#drive(store, { tenant, record, asker, ask, otherwise: "stale_session" });
      }
    }
    return undefined;
  }

  /** Whether the car has announced another epoch than the one that the command was signed for. */
  async #hasNewerSession(
    store: TenantStore,
    tenant: TenantId,
    { id, vehicle }: CommandRecord,
  ): Promise<boolean> {
    const epoch = this.#flights.get(tenant, id)?.epoch;
    const session = await store.session(vehicle);
    return (
      epoch !== undefined && session !== undefined && !equalBytes(session.session.epoch, epoch)
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#steps.idle((tenant) => this.#store(tenant));
    this.#flights.close();
  }

  async #store(tenant: TenantId): Promise<TenantStore> {
    const found = await this.#parts.tenant(tenant);
    if (found === undefined) throw new ProtocolError("not_found", "tenant: there is none such");
    return found.store;
  }

  #watch(tenant: TenantId, record: CommandRecord, asker?: Secrets, ask: Extras = {}): void {
    const late = (): void => {
      this.#late(tenant, record.id).catch((error: unknown) =>
        this.#parts.log.error("command.deadline_failed", { error: codeOf(error) }),
      );
    };
    this.#flights.begin(tenant, record, late, asker, ask);
  }

  /** The car ends its waiting by its own clock; one that has not said so by then is not heard of. */
  #armed(armMs: number = ARMED_MS_MAX): LifeChange {
    const { clock, deadlineMs: usualMs = COMMAND_DEADLINE_MS } = this.#parts;
    return { state: "armed", deadlineMs: clock.wallMs() + armMs + usualMs };
  }

  async #late(tenant: TenantId, id: string): Promise<CommandRecord> {
    const store = await this.#store(tenant);
    const current = await store.command(id);
    if (current !== undefined && current.deadlineMs > this.#parts.clock.wallMs()) {
      // It was armed meanwhile: it may wait on the car for as long as was asked.
      if (!isFinal(current.state)) this.#watch(tenant, current);
      return current;
    }
    return (await this.#apply(tenant, store, id, { kind: "deadline" }, "kerbside")).record;
  }

  /** Signs and sends. */
  async #drive(
    store: TenantStore,
    { tenant, record, asker, ask, otherwise, early }: Order,
  ): Promise<Asked> {
    const { id, vehicle } = record;
    let sending = false;
    const fail = async (error: unknown): Promise<Asked> => {
      const code = otherwise ?? codeOf(error);
      // Where the store failed after the sending began, the car may have done it.
      const event: LifeEvent = sending ? { kind: "doubtful" } : { kind: "not_done", code };
      const failed = (await this.#apply(tenant, store, id, event, "kerbside")).record;
      return error instanceof ProtocolError
        ? { record: failed, why: error.message }
        : { record: failed };
    };
    try {
      let signed = await early?.catch(unlessTooSoon);
      if (signed === undefined) {
        if (!(await this.#reachable(store, { tenant, record, ask }))) {
          return { record: await this.get(tenant, id) };
        }
        signed = await this.#signed(asker, record, ask);
      }
      const flight = this.#flights.get(tenant, id);
      if (flight !== undefined) flight.epoch = signed.epoch;
      sending = true;
      return await this.#send(store, { tenant, id, vehicle, signed });
    } catch (error) {
      return fail(error);
    }
  }

  #signed(
    asker: Secrets,
    record: CommandRecord,
    ask: Extras,
    recorded?: Promise<boolean>,
  ): Promise<SignedCommand> {
    const { id, vehicle, action, booking } = record;
    const order = {
      id: fromHex(id),
      vehicle,
      action,
      ...(booking === undefined ? {} : { booking }),
      ...(ask.armMs === undefined ? {} : { armMs: ask.armMs }),
      ...(ask.target === undefined ? {} : { target: fromHex(ask.target) }),
    };
    return this.#parts.signer.signCommand(asker.token, order, asker.proof, recorded);
  }

  #online(session: SessionRecord | undefined, tenant: TenantId, vehicle: VehicleId): boolean {
    const online = this.#parts.connected?.({ tenant, vehicle }) ?? session?.online;
    return session !== undefined && online === true;
  }

  /**
   * Whether the car can be sent to now, once it was woken where that was asked for. False where the command was taken
   * back meanwhile. Throws ProtocolError `vehicle_offline`.
   */
  async #reachable(
    store: TenantStore,
    { tenant, record, ask }: Pick<Order, "tenant" | "record" | "ask">,
  ): Promise<boolean> {
    const { id, vehicle } = record;
    const { wake, clock } = this.#parts;
    const session = await store.session(vehicle);
    if (this.#online(session, tenant, vehicle)) return true;
    const { wakeMs = 0 } = ask;
    if (session?.asleep !== true || wakeMs === 0 || wake === undefined) {
      throw new ProtocolError("vehicle_offline", "vehicle: is not connected");
    }
    const waking = await this.#apply(tenant, store, id, { kind: "waking" }, "kerbside");
    if (waking.step.kind !== "step") return false;
    const untilMs = clock.bootMs() + wakeMs;
    await wake({ tenant, vehicle });
    for (;;) {
      const leftMs = untilMs - clock.bootMs();
      if (leftMs <= 0) throw new ProtocolError("vehicle_offline", "vehicle: did not wake in time");
      await this.#flights.change(tenant, id, Math.min(leftMs, WAKE_LOOK_MS), this.#closing.signal);
      const current = await store.command(id);
      if (current?.state !== "waking" || this.#closing.signal.aborted) return false;
      const now = await store.session(vehicle);
      // Its connection alone is not enough: the command is bound to the epoch that it wakes up with.
      const announced = now !== undefined && now.receivedAtMs > session.receivedAtMs;
      if (announced && this.#online(now, tenant, vehicle)) return true;
    }
  }

  /** Nothing else happens to this command between the sending and its record. */
  async #send(store: TenantStore, { tenant, id, vehicle, signed }: Sending): Promise<Asked> {
    let why: string | undefined;
    const record = await this.#steps.inTurn(tenant, id, async () => {
      // The signer has recorded it as signed. What has ended meanwhile, by its deadline, is not to be sent.
      if (this.#flights.get(tenant, id) === undefined) {
        return this.#steps.look(store, tenant, id);
      }
      let event: LifeEvent = { kind: "sent" };
      try {
        await this.#parts.downlink.send({ tenant, vehicle }, "command", signed.envelope);
      } catch (error) {
        const away = error instanceof ProtocolError && error.code === "vehicle_offline";
        event = away ? { kind: "not_done", code: "vehicle_offline" } : { kind: "doubtful" };
        why = away ? error.message : undefined;
      }
      return (await this.#steps.step({ tenant, store, id, event, actor: "kerbside" })).record;
    });
    return why === undefined ? { record } : { record, why };
  }

  #apply(
    tenant: TenantId,
    store: TenantStore,
    id: string,
    event: LifeEvent,
    actor: string,
    before?: () => Promise<void>,
  ): Promise<Stepped> {
    return this.#steps.apply({ tenant, store, id, event, actor, before });
  }
}

type Sending = Pick<CommandRecord, "id" | "vehicle"> & {
  readonly tenant: TenantId;
  readonly signed: SignedCommand;
};

/** Undefined where the signer had not seen the record yet; rejects with any other error. */
async function unlessTooSoon(error: unknown): Promise<undefined> {
  if (!(error instanceof ProtocolError) || error.code !== "not_found") throw error;
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof ProtocolError ? error.code : "unavailable";
}
