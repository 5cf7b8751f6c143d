/**
 * The lock controller, the journal and the executor as one part: takes commands for the uplink, reports what a crash
 * left open, and knows whether something the agent did is moving the bolts at this moment.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Answer,
  type CarFacts,
  Executor,
  LockDriver,
  openJournal,
  serialLink,
} from "@kerbside/immobiliser";
import {
  type Clock,
  type Command,
  fromHex,
  KEY_BYTES,
  type Log,
  type NewEvent,
  type Random,
  sha256,
  toHex,
  utf8,
} from "@kerbside/protocol";
import type { CommandExecutor } from "@kerbside/uplink";
import { type AgentConfig, ConfigError } from "./config.ts";

/** A controller that has not reported by then is not waited for: commands are answered without it. */
const FIRST_REPORT_MS_MAX = 5000;
/** The bus tells of a bolt within this after the controller did. */
const CAUSE_MS = 2000;
const MODULE_ID_BYTES = 8;

export type LocksOptions = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly facts: () => Omit<CarFacts, "storageWorks" | "noRentalOpen">;
  readonly sessionMs: () => number;
  readonly emit: (event: NewEvent) => void;
};

export type Locks = {
  readonly commands: CommandExecutor;
  /** What a crash left open, answered as unknown with what is sensed. Resolves once, before the first command runs. */
  readonly interrupted: Promise<readonly Answer[]>;
  /** The command that moves the bolts now, if one does. */
  readonly cause: () => { readonly cause: "command"; readonly booking?: string } | undefined;
  readonly stop: () => Promise<void>;
};

/** Reads the pairing key: 64 hexadecimal digits. Throws ConfigError. */
export function readPairingKey(file: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch {
    throw new ConfigError(`${file}: expected a readable file with the pairing key`);
  }
  if (!new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, "i").test(text)) {
    throw new ConfigError(`${file}: expected a pairing key of ${2 * KEY_BYTES} hexadecimal digits`);
  }
  return fromHex(text);
}

/** The id by which the module names itself to the controller: nothing personal, the same for the car's life. */
export function moduleIdOf({ tenant, vehicle }: AgentConfig): Uint8Array {
  return sha256(utf8(`${tenant}/${vehicle}`)).slice(0, MODULE_ID_BYTES);
}

export async function startLocks(options: LocksOptions): Promise<Locks> {
  const { config, clock, random, log, emit, sessionMs } = options;
  const pairingKey = readPairingKey(config.lock.pairingKeyFile);
  const journal = await openJournal(join(config.dataDir, "commands", "journal"));
  if (journal.damaged) emit({ kind: "fault.raised", data: { code: "commands.journal_damaged" } });
  const reported = Promise.withResolvers<void>();
  let linkFault = false;
  const driver = new LockDriver({
    link: serialLink(config.lock.path, config.lock.baudRate),
    pairingKey,
    moduleId: moduleIdOf(config),
    clock,
    random,
    log,
    onReport: () => reported.resolve(),
    onLink: (up) => {
      if (up === !linkFault) return;
      linkFault = !up;
      emit({ kind: up ? "fault.cleared" : "fault.raised", data: { code: "lock.silent" } });
    },
  });
  const facts = (): CarFacts => ({
    ...options.facts(),
    storageWorks: journal.works(),
    // This version keeps no record of rentals, and what is not known does not count as none.
    noRentalOpen: { quality: "unknown" },
  });
  const executor = new Executor({ journal, driver, facts, sessionMs, log });
  driver.start();
  const wait = clock.after(FIRST_REPORT_MS_MAX, () => reported.resolve());
  const interrupted = reported.promise.then(() => {
    wait.cancel();
    return executor.settleInterrupted();
  });
  const moving = new Movement(clock);
  return {
    interrupted,
    cause: () => moving.cause(),
    commands: {
      recorded: (command, requestHash) => executor.recorded(command, requestHash),
      execute: async (command, requestHash) => {
        await interrupted;
        const answer = await moving.during(command, executor.execute(command, requestHash));
        if (!answer.replayed) emit(completed(command, answer));
        log.info("command.answered", {
          id: toHex(command.id),
          action: command.action,
          status: answer.verdict.status,
        });
        return answer;
      },
    },
    stop: async () => {
      driver.stop();
      await journal.close();
    },
  };
}

function completed(command: Command, { verdict }: Answer): NewEvent {
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

/** Remembers which command is moving the bolts, a little beyond its end. */
class Movement {
  readonly #clock: Clock;
  #last: { readonly booking?: string; untilMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async during<T>({ booking }: Command, work: Promise<T>): Promise<T> {
    const mine = {
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

  cause(): { readonly cause: "command"; readonly booking?: string } | undefined {
    const last = this.#last;
    if (last === undefined || this.#clock.bootMs() > last.untilMs) return undefined;
    return { cause: "command", ...(last.booking === undefined ? {} : { booking: last.booking }) };
  }
}
