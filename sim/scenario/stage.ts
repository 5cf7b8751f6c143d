/**
 * What a scenario is played on: a car with its module, a cloud, and what lies between, under a simulated clock or in
 * real time. The stage does what it is told; what holds and what does not is for the player to say.
 */

import type { Action } from "../car/actions.ts";
import type { CarFault } from "../car/state.ts";
import type { CardTap, PhoneTap, TapOutcome } from "../reader/reader.ts";
import type { COVERAGES } from "./schema.ts";

export type Json = Readonly<Record<string, unknown>>;
export type StageAsk = {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly body?: Json;
  /** Of what is asked once. */
  readonly key?: string;
  /** The operator's staff asks, not its backend. */
  readonly asOperator?: boolean;
};
export type StageAnswer = { readonly status: number; readonly body: Json };
export type Coverage = (typeof COVERAGES)[number];
export type DriveEnd = { readonly done: true } | { readonly done: false; readonly why: string };

export type Stage = {
  readonly name: "simulated" | "real";
  /** Since the beginning. */
  readonly nowMs: () => number;
  /** Of the right wall clock. */
  readonly wallMs: () => number;
  readonly vehicle: string;
  readonly pass: (ms: number) => Promise<void>;
  /** Lets time pass until the work has ended. */
  readonly during: <T>(work: Promise<T>) => Promise<T>;
  /** Of the tenant's API; paths are below the tenant's. */
  readonly ask: (ask: StageAsk) => Promise<StageAnswer>;
  /** Everything that the store has of the car, gaps too, in the order of the listing. */
  readonly events: () => Promise<readonly Json[]>;
  readonly alarms: () => Promise<readonly string[]>;
  readonly quarantined: () => Promise<readonly string[]>;
  /** The car, as the cockpit shows it. */
  readonly car: () => Promise<Json>;
  /** Why it is not done, or undefined. */
  readonly act: (action: Action) => Promise<string | undefined>;
  readonly tap: (what: CardTap | PhoneTap) => Promise<TapOutcome>;
  readonly drive: (ms: number, kmhMax: number) => Promise<DriveEnd>;
  readonly fault: (fault: CarFault, on: boolean) => Promise<void>;
  readonly coverage: (coverage: Coverage) => Promise<void>;
  readonly broker: (up: boolean) => Promise<void>;
  readonly cloud: (up: boolean) => Promise<void>;
  readonly power: (on: boolean) => Promise<void>;
  readonly agent: (what: "stop" | "start") => Promise<void>;
  /** What the module's own clock is set to, Unix ms; undefined: right again. */
  readonly clock: (wallMs: number | undefined) => Promise<void>;
  readonly disk: (what: "keep" | "restore" | "clone") => Promise<void>;
  readonly revoke: () => Promise<void>;
  /** Segments that the car holds and the store has not acknowledged. */
  readonly waiting: () => Promise<number>;
  /** The last of what the agent logged, for evidence. */
  readonly log: () => readonly string[];
  readonly close: () => Promise<void>;
};

/** This stage cannot do that. */
export class StageError extends Error {
  override readonly name = "StageError";
}
