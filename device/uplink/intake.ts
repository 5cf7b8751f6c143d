/** Commands in, signed results out. A result stays until the other side has taken it over, across connections. */
import {
  type Address,
  type Command,
  type CommandResult,
  type Log,
  type ResultStatus,
  type SensedState,
  type SigningKey,
  signResult,
  type UnmetCondition,
  type VerifyKey,
} from "@kerbside/protocol";
import type { Session } from "./session.ts";
import { type CommandVerdict, verifyCommand } from "./verify-command.ts";

/** What a command came to, before it is bound to its request and signed. */
export type CommandAnswer = {
  readonly id: Uint8Array;
  readonly requestHash: Uint8Array;
  readonly verdict: {
    readonly status: Exclude<ResultStatus, "received">;
    readonly unmet: readonly UnmetCondition[];
    readonly sensed?: SensedState;
    readonly reason?: string;
    readonly mayHaveSucceeded: boolean;
  };
  readonly replayed: boolean;
  /** Whether intent and result are on the car's disk. */
  readonly durable: boolean;
};

/**
 * Runs commands that verified; owns what must be remembered: strictly rising counters, known ids, intents, results.
 */
export type CommandExecutor = {
  /** Never rejects. */
  readonly execute: (command: Command, requestHash: Uint8Array) => Promise<CommandAnswer>;
  /** The recorded answer to a command that was seen before, for one that may not be run any more. */
  readonly recorded?: (command: Command, requestHash: Uint8Array) => CommandAnswer | undefined;
  /** The other side has taken an answer over: it need not be told again, also not after a restart. */
  readonly taken?: (answer: CommandAnswer) => void;
};

export type IntakeOptions = {
  readonly address: Address;
  readonly signingKey: SigningKey;
  readonly commandKey: () => VerifyKey;
  readonly session: Session;
  readonly commands: CommandExecutor;
  readonly log: Log;
  /** Hands over a signed result to be sent until it is taken, which is then said. */
  readonly send: (result: Uint8Array, taken: () => void) => void;
};

export type Intake = {
  /** Takes a message from `command`. Resolves when it is answered, or dropped. Never rejects. */
  readonly take: (envelope: Uint8Array) => Promise<void>;
  /** Signs and sends an answer of the executor's that no message asked for, such as after a crash. */
  readonly report: (answer: CommandAnswer) => void;
};

export function createIntake(options: IntakeOptions): Intake {
  const { address, session, log } = options;
  const report = (answer: CommandAnswer): void => {
    const { verdict, ...rest } = answer;
    sign(options, { ...rest, ...verdict }, () => options.commands.taken?.(answer));
  };
  return {
    report,
    take: async (envelope) => {
      const context = {
        address,
        commandKey: options.commandKey(),
        epoch: session.epoch(),
        sessionMs: session.sessionMs(),
      };
      const verdict = verifyCommand(context, envelope);
      switch (verdict.kind) {
        case "dropped":
          log.warn("command.dropped", { reason: verdict.reason });
          return;
        case "run": {
          const { command, requestHash } = verdict;
          // Told while the intent is on its way to the disk or the bolts move; what is answered at once needs it not.
          const said = setImmediate(() => sign(options, received(command, requestHash)));
          const answer = await options.commands.execute(command, requestHash);
          clearImmediate(said);
          report(answer);
          return;
        }
        case "expired":
        case "refused":
        case "stale_session":
          report(
            options.commands.recorded?.(verdict.command, verdict.requestHash) ?? refusal(verdict),
          );
      }
    },
  };
}

type Unsigned = Omit<CommandResult, "tenant" | "vehicle" | "sessionMs">;

function sign(
  { address, session, signingKey, send }: IntakeOptions,
  result: Unsigned,
  taken: () => void = () => undefined,
): void {
  send(signResult(signingKey, { ...address, ...result, sessionMs: session.sessionMs() }), taken);
}

function received({ id }: Command, requestHash: Uint8Array): Unsigned {
  return {
    id,
    requestHash,
    status: "received",
    replayed: false,
    unmet: [],
    durable: false,
    mayHaveSucceeded: false,
  };
}

function refusal(
  verdict: Extract<CommandVerdict, { kind: "expired" | "refused" | "stale_session" }>,
): CommandAnswer {
  const { kind, command, requestHash } = verdict;
  const unmet = kind === "refused" ? [verdict.unmet] : [];
  return {
    id: command.id,
    requestHash,
    verdict: { status: kind, unmet, mayHaveSucceeded: false },
    replayed: false,
    durable: false,
  };
}
