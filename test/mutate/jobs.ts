/** What the parent asks of a worker and what it is told; one job at a time. */
import type { Changed } from "./graph.ts";

/** Tests of one file, by their place in it. */
export type Picked = { readonly file: string; readonly tests: readonly number[] };

export type Job =
  /** Run each test of a file by itself, unchanged, and say which points of the source each reaches. */
  | {
      readonly kind: "survey";
      readonly file: string;
      /** Offsets, by file. */
      readonly points: Readonly<Record<string, readonly number[]>>;
      readonly testMsMax: number;
    }
  /** Run these tests over a changed module, or over the project as it is, until one fails. */
  | {
      readonly kind: "try";
      readonly changed?: Changed;
      readonly picked: Picked;
      readonly msMax: number;
    };

export type Surveyed = {
  readonly test: number;
  readonly name: string;
  readonly ms: number;
  /** Of this process: on a busy machine a test takes longer, but costs no more. */
  readonly cpuMs: number;
  /** Why it failed, unchanged and by itself. */
  readonly failed?: string;
  /** Places in the lists of points, by file. */
  readonly reached: Readonly<Record<string, readonly number[]>>;
};

export type Told =
  | { readonly kind: "ready" }
  | { readonly kind: "surveyed"; readonly tests: readonly Surveyed[]; readonly spent: boolean }
  | {
      readonly kind: "tried";
      /** The test that failed and how; undefined: all passed. */
      readonly failed?: { readonly test: string; readonly why: string; readonly late: boolean };
      /** Something is left over or the process has grown: it should not be used again. */
      readonly spent: boolean;
    };
