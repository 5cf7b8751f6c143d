/**
 * Runs orders one at a time: the shell around the state machine. It owns the rule that a command which was seen before
 * is answered from the record, that counters only rise, and that a command whose time has passed while it waited is
 * not begun.
 */
import { type Command, equalBytes, type Log, type UnmetCondition } from "@kerbside/protocol";
import type { CarFacts } from "./facts.ts";
import type { Journal, JournalOrder } from "./journal.ts";
import type { LockDriver } from "./lock-driver.ts";
import { beginOrder, type OrderEffect, type OrderInput, stepOrder, type Verdict } from "./order.ts";
import { NOTHING_SENSED, sensedState } from "./sensed.ts";

/** Commands that wait for the one under way; more are refused. */
export const WAITING_MAX = 4;

export type ExecutorOptions = {
  readonly journal: Journal;
  readonly driver: Pick<LockDriver, "actuate" | "report">;
  readonly facts: () => CarFacts;
  /** The session clock that `expiresAtMs` of a command is read on. */
  readonly sessionMs: () => number;
  readonly log: Log;
};

/** An answer to be bound to its request and signed. */
export type Answer = {
  readonly id: Uint8Array;
  readonly requestHash: Uint8Array;
  readonly verdict: Verdict;
  readonly replayed: boolean;
  readonly durable: boolean;
};

export class Executor {
  readonly #options: ExecutorOptions;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Takes a command whose signature, car and epoch were verified. Never rejects. */
  execute(command: Command, requestHash: Uint8Array): Promise<Answer> {
    if (this.#waiting >= WAITING_MAX) {
      const unmet = { condition: "not_busy", words: "Too many commands are waiting in the car." };
      return Promise.resolve(this.#answer(command.id, requestHash, refusal(unmet)));
    }
    this.#waiting += 1;
    const run = async (): Promise<Answer> => {
      this.#waiting -= 1;
      return this.#known(command, requestHash) ?? (await this.#run(command, requestHash));
    };
    const answer = this.#last.then(run);
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** The answer on record for a command that was taken before, if it was. */
  recorded(command: Command, requestHash: Uint8Array): Answer | undefined {
    const seen = this.#options.journal.find(command.id);
    return seen === undefined ? undefined : this.#replay(seen, requestHash);
  }

  /**
   * Closes what a crash left open: intents without a result become `unknown` with what is sensed now. Nothing is
   * pulsed. To be called once, before the first command, when the controller has reported or is given up on.
   */
  async settleInterrupted(): Promise<readonly Answer[]> {
    const { journal, driver } = this.#options;
    const report = driver.report();
    const verdict: Verdict = {
      status: "unknown",
      unmet: [],
      sensed: report === undefined ? NOTHING_SENSED : sensedState(report),
      reason: "interrupted",
      mayHaveSucceeded: true,
    };
    const answers: Answer[] = [];
    for (const { id, requestHash } of journal.unfinished()) {
      const durable = await journal.recordResult(id, verdict);
      answers.push({ id, requestHash, verdict, replayed: false, durable });
    }
    return answers;
  }

  /** The answer that needs no doing, if there is one. */
  #known(command: Command, requestHash: Uint8Array): Answer | undefined {
    const { journal, sessionMs } = this.#options;
    const recorded = this.recorded(command, requestHash);
    if (recorded !== undefined) return recorded;
    if (command.counter <= journal.counter()) {
      const words = "The command's counter must be above all before it.";
      return this.#answer(command.id, requestHash, refusal({ condition: "counter_rising", words }));
    }
    if (sessionMs() >= command.expiresAtMs) {
      const verdict: Verdict = {
        status: "expired",
        unmet: [],
        sensed: NOTHING_SENSED,
        mayHaveSucceeded: false,
      };
      return this.#answer(command.id, requestHash, verdict);
    }
    return undefined;
  }

  #replay(seen: JournalOrder, requestHash: Uint8Array): Answer {
    if (!equalBytes(seen.requestHash, requestHash)) {
      const words = "Another command with this id was taken before.";
      return this.#answer(seen.id, requestHash, refusal({ condition: "id_unused", words }));
    }
    const verdict: Verdict = seen.verdict ?? {
      status: "unknown",
      unmet: [],
      sensed: NOTHING_SENSED,
      reason: "interrupted",
      mayHaveSucceeded: true,
    };
    return { ...this.#answer(seen.id, requestHash, verdict), replayed: true };
  }

  #answer(id: Uint8Array, requestHash: Uint8Array, verdict: Verdict): Answer {
    const durable = this.#options.journal.works();
    return { id, requestHash, verdict, replayed: false, durable };
  }

  async #run(command: Command, requestHash: Uint8Array): Promise<Answer> {
    let { state, effects } = beginOrder(command);
    for (;;) {
      const [effect] = effects;
      if (effect === undefined) throw new Error(`order: no effect in state ${state.value}`);
      if (effect.type === "answer") {
        const { verdict, durable } = effect;
        return { id: command.id, requestHash, verdict, replayed: false, durable };
      }
      ({ state, effects } = stepOrder(state, await this.#perform(effect, command, requestHash)));
    }
  }

  async #perform(
    effect: Exclude<OrderEffect, { type: "answer" }>,
    command: Command,
    requestHash: Uint8Array,
  ): Promise<OrderInput> {
    const { journal, driver, facts, log } = this.#options;
    if (effect.type === "pulse") {
      return { type: "actuated", actuated: await driver.actuate(effect.action) };
    }
    if (effect.type === "record_intent") {
      const durable = await journal.recordIntent(command, requestHash);
      if (!durable) log.error("command.journal_failed", {});
      // Read after the write, as late as can be before the pulse.
      return { type: "intent_recorded", durable, facts: facts() };
    }
    const durable = await journal.recordResult(command.id, effect.verdict);
    return { type: "result_recorded", durable };
  }
}

function refusal(unmet: UnmetCondition): Verdict {
  return { status: "refused", unmet: [unmet], sensed: NOTHING_SENSED, mayHaveSucceeded: false };
}
