/** What the collector asks of a running rule. Rules keep no time of their own: they are told it. */
import type { Signal, SignalName } from "@kerbside/protocol";
import type { Collected } from "./emit.ts";
import type { View } from "./view.ts";

export type Out = (event: Collected) => void;

export type RunningRule = {
  readonly name: string;
  /** Whether it sets variables of the car: then it is told before the others. */
  readonly keepsCar: boolean;
  /** Changes of these are told to it. */
  readonly wants: readonly SignalName[];
  /** After the view has taken the change. */
  readonly change: (view: View, signal: Signal, out: Out) => void;
  /** When it wants to be called next, on the boot clock; infinity: never of itself. */
  readonly dueMs: () => number;
  /** Called at `dueMs`, or later. Must then be due later than `nowMs`. */
  readonly due: (view: View, nowMs: number, out: Out) => void;
};
