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

export const EXPLAINED: readonly Explained[] = [];

export const explains = (row: Explained, mutant: Mutant): boolean =>
  row.file === mutant.file && row.inLine === mutant.inLine && row.change === described(mutant);
