/**
 * Runs orders one at a time: the shell around the state machine. It owns the rule that a command which was seen before
 * is answered from the record, that counters only rise, that a command whose time has passed while it waited is not
 * begun, and the one command that may be armed: waiting for the car to stand.
 */
import {
  type Clock,
  type Command,
  equalBytes,
  type Log,
  type RentalPolicy,
  toHex,
  type UnmetCondition,
} from "@kerbside/protocol";
import { ArmedSlot } from "./armed.ts";
import type { CarFacts } from "./facts.ts";
import { judgeAction } from "./interlocks.ts";
import type { Journal, JournalOrder } from "./journal.ts";
import type { LockPort } from "./lock-port.ts";
import {
  askOf,
  beginOrder,
  type OrderInput,
  type OrderWork,
  stepOrder,
  type Verdict,
} from "./order.ts";
import type { RentalPort } from "./rental-desk.ts";
import { NOTHING_SENSED, sensedState } from "./sensed.ts";

/** Commands that wait for the one under way; more are refused. */
export const WAITING_MAX = 4;
/**
 * How old what a card or phone asked for may be when its turn comes, ms: a line that has to wake takes up to 3 s. Who
 * has waited for longer may have gone, and somebody else be at the door.
 */
export const ASKED_MS_MAX = 5000;

/** The session that a command is bound to, and the clock that its `expiresAtMs` is read on. */
export type CommandSession = {
  readonly epoch: () => Uint8Array;
  readonly sessionMs: () => number;
};

export type ExecutorOptions = {
  readonly journal: Journal;
  readonly driver: LockPort;
  readonly rental: RentalPort;
  /** All but what the executor knows itself. */
  readonly facts: () => Omit<CarFacts, "armed">;
  readonly policy: () => RentalPolicy;
  readonly session: CommandSession;
  readonly clock: Clock;
  readonly log: Log;
  /** The end of a command that was answered `armed` before. */
  readonly onLate: (answer: Answer) => void;
};

/** An answer to be bound to its request and signed. */
export type Answer = {
  readonly id: Uint8Array;
  readonly requestHash: Uint8Array;
  readonly verdict: Verdict;
  readonly replayed: boolean;
  readonly durable: boolean;
};

/** Why an armed command is armed no more without having been carried out. */
export type DisarmReason = "cancelled" | "released" | "rental_opened" | "resumed";

/** Who opens a rental, where it is not a command. */
export type Opener = { readonly by: "card" | "phone"; readonly credential: string };

type Ended = { readonly verdict: Verdict; readonly durable: boolean };

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #armed: ArmedSlot;
  readonly #openers = new WeakMap<Command, Opener>();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#armed = new ArmedSlot(options.clock, (lapsed) =>
      this.#endArmed(lapsed.command, lapsed.requestHash, ended("expired", "arm_expired")),
    );
  }

  /** Takes a command whose signature, car and epoch were verified. Never rejects. */
  execute(command: Command, requestHash: Uint8Array): Promise<Answer> {
    if (this.#waiting >= WAITING_MAX) {
      const unmet = { condition: "not_busy", words: "Too many commands are waiting in the car." };
      return Promise.resolve(this.#answer(command.id, requestHash, refusal(unmet)));
    }
    this.#waiting += 1;
    return this.#inTurn(async (): Promise<Answer> => {
      this.#waiting -= 1;
      const known = this.#known(command, requestHash);
      if (known !== undefined) return known;
      const { verdict, durable } = await this.#run(command, requestHash, () =>
        this.#overdue(command),
      );
      if (verdict.status === "armed") {
        const { waitMs = 0 } = command;
        const untilMs = this.#options.clock.bootMs() + waitMs;
        this.#armed.hold({ command, requestHash, untilMs });
      }
      return { id: command.id, requestHash, verdict, replayed: false, durable };
    });
  }

  /**
   * Runs what the car itself allows a card or phone. It comes with no counter and no session: whoever asks has just
   * proven to be there, at `askedMs` of the boot clock, and is refused where that is too long ago. Never rejects.
   */
  allow(
    command: Command,
    requestHash: Uint8Array,
    opener: Opener,
    askedMs: number = this.#options.clock.bootMs(),
  ): Promise<Answer> {
    this.#openers.set(command, opener);
    const late = (): Verdict | undefined =>
      this.#options.clock.bootMs() - askedMs > ASKED_MS_MAX ? refusal(ASKED_JUST_NOW) : undefined;
    return this.#inTurn(async (): Promise<Answer> => {
      const refused = late();
      if (refused !== undefined) return this.#answer(command.id, requestHash, refused);
      const { verdict, durable } = await this.#run(command, requestHash, late);
      return { id: command.id, requestHash, verdict, replayed: false, durable };
    });
  }

  /** The answer on record for a command that was taken before, if it was. */
  recorded(command: Command, requestHash: Uint8Array): Answer | undefined {
    const seen = this.#options.journal.find(command.id);
    return seen === undefined ? undefined : this.#replay(seen, requestHash);
  }

  /** Results on record that the cloud has not taken over, such as before a restart: to be told again. */
  untaken(): readonly Answer[] {
    return this.#options.journal.owed().map(({ id, requestHash, verdict }) => {
      return { id, requestHash, verdict, replayed: true, durable: true };
    });
  }

  /** The command that waits for the car to stand, if one does. */
  armed(): Command | undefined {
    return this.#armed.held()?.command;
  }

  /**
   * To be called when something was seen that may let an armed command go on. Only what was seen fires it: neither
   * time nor silence does.
   */
  seen(): void {
    const held = this.#armed.held();
    if (held === undefined || !this.#mayFire(held.command)) return;
    this.#inTurn(async () => {
      // It may have been taken back, or the car have moved, while another command ran.
      if (this.#armed.held() !== held || !this.#mayFire(held.command)) return;
      // From here on it is a command under way, which neither time nor others take back.
      this.#armed.release();
      const onTime = (): undefined => undefined;
      const { verdict, durable } = await this.#run(held.command, held.requestHash, onTime);
      if (verdict.status === "armed") this.#armed.hold(held);
      else this.#late(held.command, held.requestHash, { verdict, durable });
    }).catch((error: unknown) => this.#options.log.error("lock.bug", { what: String(error) }));
  }

  /** Takes back whatever is armed. Its end is told as a late answer. */
  async disarm(reason: DisarmReason): Promise<void> {
    const held = this.#armed.held();
    if (held === undefined) return;
    this.#armed.release();
    await this.#endArmed(held.command, held.requestHash, ended("refused", reason));
  }

  /**
   * Closes what a crash left open. An intent without a result becomes `unknown` with what is sensed now; a command that
   * was armed did nothing, is armed no more, and says so. Nothing is pulsed. To be called once, before the first
   * command, when the controller has reported or is given up on.
   */
  async settleInterrupted(): Promise<readonly Answer[]> {
    const { journal, driver, rental } = this.#options;
    const report = driver.report();
    const sensed = report === undefined ? NOTHING_SENSED : sensedState(report);
    const unknown: Verdict = { ...interrupted(), sensed };
    const disarmed: Verdict = { ...ended("refused", "disarmed_by_restart"), sensed };
    const answers: Answer[] = [];
    for (const { id, requestHash, armed, action, booking } of journal.unfinished()) {
      const verdict = armed === true ? disarmed : unknown;
      const mayBeIn = action === "unlock_and_release" && sensed.locked !== "yes";
      if (mayBeIn && booking !== undefined) await rental.open(booking, "command");
      const durable = await journal.recordResult(id, verdict);
      answers.push({ id, requestHash, verdict, replayed: false, durable });
    }
    return answers;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #mayFire(command: Command): boolean {
    // Judged as if it were alone: it is the one that is armed.
    const facts: CarFacts = { ...this.#options.facts(), armed: undefined };
    return judgeAction(askOf(command), facts, this.#options.policy()).kind !== "wait";
  }

  async #endArmed(command: Command, requestHash: Uint8Array, verdict: Verdict): Promise<void> {
    const durable = await this.#options.journal.recordResult(command.id, verdict);
    this.#late(command, requestHash, { verdict, durable });
  }

  #late({ id }: Command, requestHash: Uint8Array, { verdict, durable }: Ended): void {
    this.#options.onLate({ id, requestHash, verdict, replayed: false, durable });
  }

  /** The answer that needs no doing, if there is one. */
  #known(command: Command, requestHash: Uint8Array): Answer | undefined {
    const { journal } = this.#options;
    const recorded = this.recorded(command, requestHash);
    if (recorded !== undefined) return recorded;
    const overdue = this.#overdue(command);
    if (overdue?.status === "stale_session") {
      return this.#answer(command.id, requestHash, overdue);
    }
    if (command.counter <= journal.counter()) {
      const words = "The command's counter must be above all before it.";
      return this.#answer(command.id, requestHash, refusal({ condition: "counter_rising", words }));
    }
    return overdue === undefined ? undefined : this.#answer(command.id, requestHash, overdue);
  }

  /** What becomes of a command that would be begun after its life, or in another session than its own. */
  #overdue({ epoch, expiresAtMs }: Command): Verdict | undefined {
    const { session } = this.#options;
    // It may have waited while the module slept: the clock began anew, and its time of life says nothing on it.
    if (!equalBytes(epoch, session.epoch())) return notBegun("stale_session");
    return session.sessionMs() < expiresAtMs ? undefined : notBegun("expired");
  }

  #replay(seen: JournalOrder, requestHash: Uint8Array): Answer {
    if (!equalBytes(seen.requestHash, requestHash)) {
      const words = "Another command with this id was taken before.";
      return this.#answer(seen.id, requestHash, refusal({ condition: "id_unused", words }));
    }
    const { verdict } = seen;
    const open: Verdict = seen.armed === true ? STILL_ARMED : interrupted();
    return { ...this.#answer(seen.id, requestHash, verdict ?? open), replayed: true };
  }

  #answer(id: Uint8Array, requestHash: Uint8Array, verdict: Verdict): Answer {
    const durable = this.#options.journal.works();
    return { id, requestHash, verdict, replayed: false, durable };
  }

  /** `late`: what becomes of it where it would be begun too late; asked once the intent is on the disk. */
  async #run(
    command: Command,
    requestHash: Uint8Array,
    late: () => Verdict | undefined,
  ): Promise<Ended> {
    const epoch = this.#options.session.epoch();
    let { state, effects } = beginOrder(command);
    for (;;) {
      let input: OrderInput = { type: "nothing" };
      for (const effect of effects) {
        if (effect.type === "answer") return effect;
        if (effect.type === "disarm") await this.disarm("released");
        else if (effect.type === "look") input = this.#look(epoch);
        else
          input = await this.#perform(effect, command, () =>
            this.#recordIntent(command, requestHash, late),
          );
      }
      ({ state, effects } = stepOrder(state, input));
    }
  }

  async #perform(
    effect: OrderWork,
    command: Command,
    recordIntent: () => Promise<OrderInput>,
  ): Promise<OrderInput> {
    const { journal, driver } = this.#options;
    switch (effect.type) {
      case "pulse":
        return { type: "actuated", actuated: await driver.actuate(effect.action) };
      case "record_intent":
        return recordIntent();
      case "record_armed":
        return { type: "armed_recorded", durable: await journal.recordArmed(command.id) };
      case "apply":
        return { type: "applied", durable: await this.#apply(effect, command) };
      case "record_result":
        return {
          type: "result_recorded",
          durable: await journal.recordResult(command.id, effect.verdict),
        };
    }
  }

  async #recordIntent(
    command: Command,
    requestHash: Uint8Array,
    late: () => Verdict | undefined,
  ): Promise<OrderInput> {
    const { journal, driver, policy, log } = this.#options;
    const by = this.#openers.has(command) ? "car" : "cloud";
    const durable = await journal.recordIntent(command, requestHash, by);
    if (!durable) log.error("command.journal_failed", {});
    // Read after the write, as late as can be before the pulse.
    return {
      type: "intent_recorded",
      durable,
      facts: this.#facts(),
      policy: policy(),
      contacts: driver.report(),
      // A disk may hold a write up for longer than whoever asked is still there.
      late: late(),
    };
  }

  #look(epoch: Uint8Array): OrderInput {
    const { session, policy } = this.#options;
    const hasSlept = !equalBytes(epoch, session.epoch());
    return { type: "looked", facts: this.#facts(), policy: policy(), hasSlept };
  }

  #facts(): CarFacts {
    const held = this.armed();
    const armed = held && { id: toHex(held.id), action: held.action };
    return { ...this.#options.facts(), armed };
  }

  async #apply(
    { what, flagged }: Extract<OrderWork, { type: "apply" }>,
    command: Command,
  ): Promise<boolean> {
    const { booking } = command;
    if (what === "disarm_target") {
      await this.disarm("cancelled");
      return true;
    }
    // An operator's own unlock names no booking, and opens no rental.
    if (booking === undefined) return true;
    const { rental } = this.#options;
    if (what === "open_rental") {
      const opener = this.#openers.get(command);
      return rental.open(booking, opener?.by ?? "command", opener?.credential);
    }
    const unknown = flagged.map(({ condition }) => condition);
    return rental.end(booking, what === "end_rental" ? "ended" : "terminated", unknown);
  }
}

const ASKED_JUST_NOW: UnmetCondition = {
  condition: "asked_just_now",
  words: "The car was busy for too long; ask again.",
};

const STILL_ARMED: Verdict = {
  status: "armed",
  unmet: [],
  sensed: NOTHING_SENSED,
  mayHaveSucceeded: false,
};

function interrupted(): Verdict {
  return {
    status: "unknown",
    unmet: [],
    sensed: NOTHING_SENSED,
    reason: "interrupted",
    mayHaveSucceeded: true,
  };
}

function ended(status: "expired" | "refused", reason: string): Verdict {
  return { status, unmet: [], sensed: NOTHING_SENSED, reason, mayHaveSucceeded: false };
}

function notBegun(status: "expired" | "stale_session"): Verdict {
  return { status, unmet: [], sensed: NOTHING_SENSED, mayHaveSucceeded: false };
}

function refusal(unmet: UnmetCondition): Verdict {
  return { status: "refused", unmet: [unmet], sensed: NOTHING_SENSED, mayHaveSucceeded: false };
}
