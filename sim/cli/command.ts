/** What a command of `kerbside-sim` is: a row with its words, its options and what it does. */
import type { Clock, Random } from "@kerbside/protocol";

export type Option = {
  /** What stands for its value in the help; a switch has none. */
  readonly value?: string;
  readonly words: string;
};
export type Given = {
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly json: boolean;
};
export type Io = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether a person looks at `err`: progress may be drawn there. */
  readonly isTerminal?: boolean;
  /** Aborted when the program is asked to end. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
};
export type Command = {
  readonly usage: string;
  readonly words: string;
  /** How many positional arguments it takes: just so many, or at least. */
  readonly positionals: number | { readonly min: number };
  readonly options: Readonly<Record<string, Option>>;
  /** Resolves with the exit status. Rejects with UsageError or with what went wrong, for people. */
  readonly run: (given: Given, io: Io) => Promise<0 | 1>;
};

/** The command was called wrongly: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Throws UsageError. */
export function required(given: Given, name: string): string {
  const value = given.options[name];
  if (value === undefined) throw new UsageError(`--${name} is needed`);
  return value;
}

/** A whole number, or the default where it is not given. Throws UsageError. */
export function wholeNumber(given: Given, name: string, fallback: number, max: number): number {
  const text = given.options[name];
  if (text === undefined) return fallback;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max))
    throw new UsageError(`--${name} ${text}: expected a whole number from 0 to ${max}`);
  return value;
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
