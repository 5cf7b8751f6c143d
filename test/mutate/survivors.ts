/**
 * Mutants that no test kills and none has to: each with the reason why it changes nothing that matters. A row names its
 * mutant by file, line of text and change, not by number, so that it holds while the file moves; one that matches no
 * survivor any more is reported, so that none outlives its reason.
 */
import type { Mutant } from "./mutants.ts";
import { described } from "./mutants.ts";

export type Explained = {
  readonly file: string;
  /** The line the change begins in, without the blanks around it. */
  readonly inLine: string;
  /** As the run prints it: `was → is`. */
  readonly change: string;
  readonly why: string;
};

export const EXPLAINED: readonly Explained[] = [
  {
    file: "device/access/desk.ts",
    inLine: "const listed = grantsOfPhone(grants.list()?.grants ?? [], publicKey);",
    change: '[] → ["mutant"]',
    why: "What stands in for a list that is not there is searched for phones, and a text has none.",
  },
  {
    file: "device/immobiliser/can-lock-gate.ts",
    inLine:
      "const value = counter === undefined ? 0 : (count % 2 ** counter.bits) << counter.shift;",
    change: "0 → 1",
    why: "Without a counter no byte takes the value.",
  },
  {
    file: "device/immobiliser/executor.ts",
    inLine: "const { waitMs = 0 } = command;",
    change: "0 → 1",
    why: "Only a command that says how long it may wait is ever armed; the types do not know that.",
  },
  {
    file: "device/immobiliser/interlocks.ts",
    inLine:
      'return { pulses: rest, senses: "unlock", lacks: !rest.every((one) => abilities.has(one)) };',
    change: "every → some",
    why: "One pulse is left of this action where nothing is to be released: all and any are the same.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'Promise.reject(Object.assign(new Error("port closed"), { canceled: true }));',
    change: "{ canceled: true } → {}",
    why: "It ends a read of a port that is closed: the stream is at its end by then, a fault or not.",
  },
  {
    file: "device/immobiliser/serial-link.ts",
    inLine: 'Promise.reject(Object.assign(new Error("port closed"), { canceled: true }));',
    change: "true → false",
    why: "It ends a read of a port that is closed: the stream is at its end by then, a fault or not.",
  },
];

export const explains = (row: Explained, mutant: Mutant): boolean =>
  row.file === mutant.file && row.inLine === mutant.inLine && row.change === described(mutant);
