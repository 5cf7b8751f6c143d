/**
 * Lock, records, rental and executor as one part: takes commands for the uplink, reports what a crash left open and
 * what an armed command came to, and knows whether something the agent did is moving the bolts at this moment.
 */
import { join } from "node:path";
import {
  type Answer,
  bootDifferences,
  type CarFacts,
  type CarRecord,
  type CommandSession,
  Executor,
  type Journal,
  type LockSeen,
  type Opener,
  openCarRecord,
  openJournal,
  type PolicyStore,
  type Reading,
  RentalDesk,
  type RentalEffect,
  type StatusReport,
  sensedState,
} from "@kerbside/immobiliser";
import {
  ACTION_DOMAIN,
  type Action,
  type Clock,
  type Command,
  type LockSensed,
  type Log,
  type NewEvent,
  type Random,
  type SensedState,
  sha256,
  toHex,
  utf8,
} from "@kerbside/protocol";
import type { CommandExecutor } from "@kerbside/uplink";
import type { Car, CarSeen } from "./car.ts";
import type { AgentConfig } from "./config.ts";
import { abilitiesOf, lockFaultEvents, startLockHardware } from "./lock-hardware.ts";
import type { Wires } from "./wires.ts";

/** A controller that has not reported by then is not waited for: commands are answered without it. */
const FIRST_REPORT_MS_MAX = 5000;
/** The bus tells of a bolt within this after the controller did. */
const CAUSE_MS = 2000;
const ID_BYTES = 16;

export type LocksOptions = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly car: Car;
  readonly policy: PolicyStore;
  readonly session: CommandSession;
  readonly emit: (event: NewEvent) => void;
  /** A rental has begun or ended. */
  readonly onRental?: (open: boolean) => void;
  readonly wires?: Wires;
};

/** What a card or phone may do, as the grants in the car say. */
export type AllowedOrder = Opener & { readonly action: Action; readonly booking: string };
type Seen = SensedState["locked"];
type Cause = { readonly cause: "command" | "access"; readonly booking?: string };

export type Locks = {
  readonly commands: CommandExecutor;
  /** Does what the car itself allows a card or phone, through the same executor. Never rejects. */
  readonly allow: (asked: AllowedOrder) => Promise<Answer>;
  /** Which bolts are seen locked now: the driver's, and all of them. */
  readonly bolts: () => { readonly driver: Seen; readonly all: Seen };
  /** The rental on the car: for access without coverage, which opens rentals too, and for power care. */
  readonly rental: RentalDesk;
  /** What a crash left open, as unknown with what is sensed, and results not taken over. Once, before all commands. */
  readonly interrupted: Promise<readonly Answer[]>;
  /** Tells of the end of each command that was answered `armed`. One listener. */
  readonly onLate: (listener: (answer: Answer) => void) => void;
  /** The module goes to sleep. Whatever moves by then is sensed at the next report. */
  readonly rest: () => void;
  /** After a resume from suspend nothing that was armed before goes on, and the line begins anew. */
  readonly resumed: () => Promise<void>;
  /** What was seen in the car. */
  readonly seen: (seen: CarSeen) => void;
  /** The command, card or phone that moves the bolts now, if one does. */
  readonly cause: () => Cause | undefined;
  readonly stop: () => Promise<void>;
};

async function openRecords({ config, emit }: LocksOptions): Promise<{
  readonly journal: Journal;
  readonly record: CarRecord;
}> {
  const at = (name: string): string => join(config.dataDir, "commands", name);
  const journal = await openJournal(at("journal"));
  const record = await openCarRecord(at("car"));
  if (journal.damaged) emit({ kind: "fault.raised", data: { code: "commands.journal_damaged" } });
  if (record.damaged) emit({ kind: "fault.raised", data: { code: "commands.record_damaged" } });
  return { journal, record };
}

export async function startLocks(options: LocksOptions): Promise<Locks> {
  const { config, clock, log, car, policy, emit, session } = options;
  const { journal, record } = await openRecords(options);
  const moving = new Movement(clock);
  const contacts = new ContactsWatch(record, moving, emit);
  const faults = lockFaultEvents(emit);
  const driver = startLockHardware({
    ...options,
    onSeen: (seen) => {
      faults(seen);
      contacts.take(seen);
    },
  });
  const rental = new RentalDesk({
    record,
    policy: policy.policy,
    clock,
    ignitionOn: () => isFalse(car.facts([]).ignitionOff),
    onChange: (effect) => {
      emit(rentalEvent(effect));
      if (effect.type === "started") void executor.disarm("rental_opened");
      options.onRental?.(effect.type === "started");
    },
  });
  const late = new Late(emit);
  const executor = new Executor({
    journal,
    driver,
    rental,
    facts: (): Omit<CarFacts, "armed"> => ({
      ...car.facts(policy.policy().zones),
      abilities: abilitiesOf(car.profile, config.lock.driver),
      openRental: rental.openRental(),
      storageWorks: journal.works() && record.works(),
    }),
    policy: policy.policy,
    session,
    clock,
    log,
    onLate: (answer) => late.take(answer),
  });
  const wait = clock.after(FIRST_REPORT_MS_MAX, contacts.giveUp);
  // A lock by CAN has no report to wait for.
  if (config.lock.driver === "can") contacts.giveUp();
  const interrupted = contacts.reported.then(async () => {
    wait.cancel();
    const untaken = executor.untaken();
    return [...untaken, ...(await executor.settleInterrupted())];
  });
  const ready = (): Promise<unknown> => interrupted.then(() => driver.awake());
  return {
    interrupted,
    rental,
    onLate: (listener) => late.listen(listener),
    rest: () => driver.rest(),
    resumed: () => {
      driver.wake();
      return executor.disarm("resumed");
    },
    seen: (seen) => {
      takeSeen(rental, seen);
      executor.seen();
    },
    cause: () => moving.cause(),
    bolts: () => boltsOf(driver.report()),
    allow: async (asked) => {
      const askedMs = clock.bootMs();
      await ready();
      const order = orderOf(options, journal.counter(), asked);
      const answer = executor.allow(order, evidenceOf(order, asked), asked, askedMs);
      return moving.during(order, answer, "access");
    },
    commands: commandsOf({ executor, journal, ready, moving, late, emit, log }),
    stop: async () => {
      driver.stop();
      rental.stop();
      await journal.close();
      await record.close();
    },
  };
}

function commandsOf({
  executor,
  journal,
  ready,
  moving,
  late,
  emit,
  log,
}: {
  readonly executor: Executor;
  readonly journal: Journal;
  readonly ready: () => Promise<unknown>;
  readonly moving: Movement;
  readonly late: Late;
  readonly emit: (event: NewEvent) => void;
  readonly log: Log;
}): CommandExecutor {
  return {
    recorded: (command, requestHash) => executor.recorded(command, requestHash),
    taken: ({ id, verdict }) => void journal.recordTaken(id, verdict.status),
    execute: async (command, requestHash) => {
      await ready();
      const answer = await moving.during(command, executor.execute(command, requestHash));
      if (!answer.replayed) {
        late.expect(command, answer);
        // After the answer is on its way: the buffer's commit is not to stand before it.
        setImmediate(() => emit(completed(command, answer)));
      }
      const { status } = answer.verdict;
      log.info("command.answered", { id: toHex(command.id), action: command.action, status });
      return answer;
    },
  };
}

function boltsOf(report: LockSensed | undefined): ReturnType<Locks["bolts"]> {
  if (report === undefined) return { driver: "unknown", all: "unknown" };
  const { boltDriver } = report;
  const driver = boltDriver === "unknown" ? "unknown" : boltDriver === "locked" ? "yes" : "no";
  return { driver, all: sensedState(report).locked };
}

const isFalse = (reading: Reading<boolean>): boolean =>
  reading.quality === "good" && !reading.value;

/** In the place of the hash of a command's envelope: nothing was signed. */
function evidenceOf({ id }: Command, { by, credential }: AllowedOrder): Uint8Array {
  return sha256(utf8(`${by}\n${credential}\n${toHex(id)}`));
}

/** An order in the form of a command that nobody sent: it has no session, and moves no counter. */
function orderOf(
  { config, random }: LocksOptions,
  counter: number,
  { action, booking }: AllowedOrder,
): Command {
  const { tenant, vehicle } = config;
  return {
    id: random.bytes(ID_BYTES),
    tenant,
    vehicle,
    domain: ACTION_DOMAIN[action],
    action,
    booking,
    epoch: new Uint8Array(ID_BYTES),
    counter,
    expiresAtMs: 0,
  };
}

function takeSeen(rental: RentalDesk, seen: CarSeen): void {
  if (seen.type === "ignition" || seen.type === "door_opened" || seen.type === "moved") {
    void rental.take(seen);
  }
}

function rentalEvent(effect: Exclude<RentalEffect, { type: "record" }>): NewEvent {
  const { booking } = effect;
  return effect.type === "started"
    ? { kind: "rental.started", data: { booking, openedBy: effect.openedBy } }
    : { kind: "rental.ended", data: { booking, how: effect.how, unknown: effect.flagged } };
}

function completed(
  command: Pick<Command, "id" | "action" | "booking">,
  { verdict }: Answer,
): NewEvent {
  return {
    kind: "command.completed",
    data: {
      id: command.id,
      action: command.action,
      status: verdict.status,
      unmet: verdict.unmet.map(({ condition }) => condition),
      ...(command.booking === undefined ? {} : { booking: command.booking }),
    },
  };
}

/** The end of the command that was answered `armed`, as an event and to whoever sends it. */
class Late {
  readonly #emit: (event: NewEvent) => void;
  #command: Command | undefined;
  #listener: (answer: Answer) => void = () => undefined;

  constructor(emit: (event: NewEvent) => void) {
    this.#emit = emit;
  }

  listen(listener: (answer: Answer) => void): void {
    this.#listener = listener;
  }

  expect(command: Command, { verdict }: Answer): void {
    if (verdict.status === "armed") this.#command = command;
  }

  take(answer: Answer): void {
    if (this.#command !== undefined) this.#emit(completed(this.#command, answer));
    this.#command = undefined;
    this.#listener(answer);
  }
}

/**
 * The lock's contacts as they change: kept, so that the next start can compare, and told where they changed while the
 * power was off. Nothing here moves anything.
 */
class ContactsWatch {
  readonly #record: CarRecord;
  readonly #moving: Movement;
  readonly #emit: (event: NewEvent) => void;
  readonly #first = Promise.withResolvers<void>();
  #known: SensedState | undefined;

  constructor(record: CarRecord, moving: Movement, emit: (event: NewEvent) => void) {
    this.#record = record;
    this.#moving = moving;
    this.#emit = emit;
  }

  /** Resolves with the first report, or when it is given up on. */
  get reported(): Promise<void> {
    return this.#first.promise;
  }

  readonly giveUp = (): void => this.#first.resolve();

  take(seen: LockSeen): void {
    if (seen.type === "report") this.#report(seen.report);
  }

  #report(report: StatusReport): void {
    const now = sensedState(report);
    if (this.#known === undefined) this.#compare(this.#record.sensed(), now);
    else this.#immobiliser(this.#known, now);
    const before = this.#known ?? this.#record.sensed();
    this.#known = now;
    const changed = before.locked !== now.locked || before.immobilised !== now.immobilised;
    // Mid-pulse contacts are on their way; the report after them is kept.
    if (changed && !report.midPulse) void this.#record.keepSensed(now);
    this.giveUp();
  }

  #compare(before: SensedState, now: SensedState): void {
    for (const { fault, words } of bootDifferences(before, now)) {
      this.#emit({ kind: "fault.raised", data: { code: fault, detail: words } });
    }
  }

  #immobiliser(before: SensedState, now: SensedState): void {
    if (now.immobilised === "unknown" || before.immobilised === now.immobilised) return;
    const cause = this.#moving.cause() === undefined ? "unknown" : "command";
    const inhibited = now.immobilised === "yes";
    this.#emit({ kind: "immobiliser.changed", data: { inhibited, cause } });
  }
}

/** Remembers which command is moving the bolts, a little beyond its end. */
class Movement {
  readonly #clock: Clock;
  #last: (Cause & { untilMs: number }) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async during<T>(
    { booking }: Command,
    work: Promise<T>,
    cause: Cause["cause"] = "command",
  ): Promise<T> {
    const mine = {
      cause,
      ...(booking === undefined ? {} : { booking }),
      untilMs: Number.POSITIVE_INFINITY,
    };
    this.#last = mine;
    try {
      return await work;
    } finally {
      mine.untilMs = this.#clock.bootMs() + CAUSE_MS;
    }
  }

  cause(): Cause | undefined {
    const last = this.#last;
    if (last === undefined || this.#clock.bootMs() > last.untilMs) return undefined;
    const { cause, booking } = last;
    return { cause, ...(booking === undefined ? {} : { booking }) };
  }
}
