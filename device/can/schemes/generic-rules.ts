/** The three kinds of rules that collect signals by themselves: on change, periodic, and on a condition. */
import { isSignalName, type SignalName, type SignalValue } from "@kerbside/protocol";
import type { Expression } from "../expression/index.ts";
import { eventOf, type Template } from "./emit.ts";
import type { ChangeRule, ConditionRule, PeriodicRule, Sample } from "./model.ts";
import type { RunningRule } from "./rule.ts";
import { signalsBehind, type View } from "./view.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** Those of the signals that are known. */
function valuesOf(
  view: View,
  names: readonly SignalName[],
): Partial<Record<SignalName, SignalValue>> {
  const values: Partial<Record<SignalName, SignalValue>> = {};
  for (const name of names) {
    const value = view.signal(name);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function differs(last: SignalValue | undefined, now: SignalValue, deadband: number): boolean {
  if (typeof last === "number" && typeof now === "number") return Math.abs(now - last) > deadband;
  if (typeof last === "object" && typeof now === "object") return last.join() !== now.join();
  return last !== now;
}

export function changeRule(
  rule: ChangeRule,
  scheme: string,
  template: Template | undefined,
): RunningRule {
  const { name, signals, deadband = {}, minIntervalMs = 0 } = rule;
  const sent = new Map<SignalName, SignalValue>();
  let lastMs = Number.NEGATIVE_INFINITY;
  let waitingMs = NEVER;
  const send = (view: View, bootMs: number, out: Parameters<RunningRule["due"]>[2]): void => {
    waitingMs = NEVER;
    const values = valuesOf(view, signals);
    const event =
      template === undefined
        ? eventOf("signals.changed", { scheme, values }, bootMs)
        : template.fill(view, bootMs);
    if (event === undefined) return;
    lastMs = bootMs;
    for (const [key, value] of Object.entries(values)) if (isSignalName(key)) sent.set(key, value);
    out(event);
  };
  return {
    name,
    keepsCar: false,
    wants: signals,
    change: (view, signal, out) => {
      const value = view.signal(signal.name);
      if (value === undefined) return;
      if (!differs(sent.get(signal.name), value, deadband[signal.name] ?? 0)) return;
      if (signal.bootMs - lastMs >= minIntervalMs) send(view, signal.bootMs, out);
      else waitingMs = lastMs + minIntervalMs;
    },
    dueMs: () => waitingMs,
    due: (view, nowMs, out) => {
      waitingMs = NEVER;
      const news = signals.some((key) => {
        const value = view.signal(key);
        return value !== undefined && differs(sent.get(key), value, deadband[key] ?? 0);
      });
      if (news) send(view, nowMs, out);
    },
  };
}

export function periodicRule(
  rule: PeriodicRule,
  scheme: string,
  condition: Expression | undefined,
  template: Template | undefined,
): RunningRule {
  const { name, everyMs, signals = [] } = rule;
  let nextMs = condition === undefined ? 0 : NEVER;
  const holds = (view: View): boolean =>
    condition === undefined || condition.evaluate(view.read) === true;
  const send = (view: View, bootMs: number, out: Parameters<RunningRule["due"]>[2]): void => {
    const event =
      template === undefined
        ? eventOf("signals.sampled", { scheme, values: valuesOf(view, signals) }, bootMs)
        : template.fill(view, bootMs);
    if (event !== undefined) out(event);
  };
  let lastMs = Number.NEGATIVE_INFINITY;
  return {
    name,
    keepsCar: false,
    wants: [...signalsBehind(condition?.names ?? [])],
    change: (view, { bootMs }) => {
      if (!holds(view)) nextMs = NEVER;
      else if (nextMs === NEVER) nextMs = Math.max(bootMs, lastMs + everyMs);
    },
    dueMs: () => nextMs,
    due: (view, nowMs, out) => {
      if (!holds(view)) {
        nextMs = condition === undefined ? nowMs + everyMs : NEVER;
        return;
      }
      // On its own grid, so that a late call does not shift all that follow.
      const planned = nextMs === 0 ? nowMs : nextMs;
      lastMs = planned;
      nextMs = planned + everyMs * (1 + Math.floor((nowMs - planned) / everyMs));
      send(view, nowMs, out);
    },
  };
}

/** Samples kept from before a condition, oldest first, at most HISTORY_MAX. */
const HISTORY_MAX = 256;
type Moment = {
  readonly bootMs: number;
  readonly values: Partial<Record<SignalName, SignalValue>>;
};

type Edge =
  | { readonly value: "low" }
  | { readonly value: "rising"; readonly sinceMs: number }
  | { readonly value: "high" };

export function conditionRule(
  rule: ConditionRule,
  scheme: string,
  condition: Expression,
  held: Expression | undefined,
  template: Template | undefined,
): RunningRule {
  const { name, forMs = 0, minIntervalMs = 0, sample } = rule;
  const recorder = sample === undefined ? undefined : new Recorder(sample, `${scheme}.${name}`);
  let edge: Edge = { value: "low" };
  let lastMs = Number.NEGATIVE_INFINITY;
  const fire: RunningRule["due"] = (view, nowMs, out) => {
    edge = { value: "high" };
    if (nowMs - lastMs < minIntervalMs) return;
    lastMs = nowMs;
    const event = template?.fill(view, nowMs);
    if (event !== undefined) out(event);
    recorder?.fire(nowMs, out);
  };
  let didHold = held === undefined;
  return {
    name,
    keepsCar: false,
    wants: [
      ...new Set([
        ...signalsBehind([...condition.names, ...(held?.names ?? [])]),
        ...(sample?.signals ?? []),
      ]),
    ],
    change: (view, { bootMs }, out) => {
      recorder?.wake(bootMs);
      const holds = condition.evaluate(view.read);
      const heldBefore = didHold;
      if (held !== undefined) didHold = held.evaluate(view.read) === true;
      if (holds === false) edge = { value: "low" };
      if (holds !== true || edge.value !== "low") return;
      if (!(heldBefore && didHold)) {
        edge = { value: "high" };
        return;
      }
      if (forMs === 0) fire(view, bootMs, out);
      else edge = { value: "rising", sinceMs: bootMs };
    },
    dueMs: () =>
      Math.min(
        edge.value === "rising" ? edge.sinceMs + forMs : NEVER,
        recorder === undefined ? NEVER : recorder.nextMs,
      ),
    due: (view, nowMs, out) => {
      recorder?.tick(view, nowMs, out);
      if (edge.value !== "rising" || nowMs < edge.sinceMs + forMs) return;
      if (condition.evaluate(view.read) === true) fire(view, nowMs, out);
      else edge = { value: "low" };
    },
  };
}

/** Keeps the moments before, and sends them and those after. */
class Recorder {
  nextMs = NEVER;
  readonly #sample: Sample;
  readonly #scheme: string;
  #history: Moment[] = [];
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(sample: Sample, scheme: string) {
    this.#sample = sample;
    this.#scheme = scheme;
  }

  /** Something of it changed: it may have slept, as nothing was known. */
  wake(nowMs: number): void {
    if (this.nextMs === NEVER) this.nextMs = nowMs;
  }

  tick(view: View, nowMs: number, out: Parameters<RunningRule["due"]>[2]): void {
    if (nowMs < this.nextMs) return;
    const { signals, everyMs, beforeMs } = this.#sample;
    this.nextMs = nowMs + everyMs;
    const moment = { bootMs: nowMs, values: valuesOf(view, signals) };
    if (Object.keys(moment.values).length === 0) {
      this.nextMs = NEVER;
      return;
    }
    if (nowMs <= this.#untilMs) {
      this.#send(moment, out);
      return;
    }
    this.#history.push(moment);
    const kept = this.#history.filter(({ bootMs }) => nowMs - bootMs <= beforeMs);
    this.#history = kept.slice(-HISTORY_MAX);
  }

  fire(nowMs: number, out: Parameters<RunningRule["due"]>[2]): void {
    for (const moment of this.#history) this.#send(moment, out);
    this.#history = [];
    this.#untilMs = nowMs + this.#sample.afterMs;
  }

  #send({ bootMs, values }: Moment, out: Parameters<RunningRule["due"]>[2]): void {
    const event = eventOf("signals.sampled", { scheme: this.#scheme, values }, bootMs);
    if (event !== undefined) out(event);
  }
}
