/** Runs schemes over the signal store, and hands on the events they give rise to. */
import {
  type Clock,
  isSignalName,
  SIGNALS,
  type Signal,
  type SignalName,
  type Timer,
} from "@kerbside/protocol";
import type { CompiledProfile } from "../profile/index.ts";
import type { SignalStore } from "../store/index.ts";
import { type CarContext, type CheckedScheme, loadScheme } from "./check.ts";
import type { Collected } from "./emit.ts";
import { watchReception } from "./reception.ts";
import type { RunningRule } from "./rule.ts";
import { readShippedScheme } from "./shipped.ts";
import { View } from "./view.ts";

export type CollectorOptions = Omit<CarContext, "provides"> & {
  readonly profile: CompiledProfile;
  readonly store: SignalStore;
  readonly clock: Clock;
  /** Takes each event, with the moment it is of on the boot clock. Must not throw. */
  readonly emit: (event: Collected) => void;
  /** Default: the schemes that come with the agent. */
  readonly schemes?: readonly CheckedScheme[];
};

export type CollectorStats = {
  readonly events: number;
  /** Events that were one too many for the minute. */
  readonly suppressed: number;
};

export type Collector = {
  /** Takes new schemes in place of the old ones, all at once; what rules remembered is forgotten. */
  readonly apply: (schemes: readonly CheckedScheme[]) => void;
  readonly stats: () => CollectorStats;
  readonly close: () => void;
};

/** Rules that run at once; schemes of the lowest priority give way, whole. */
export const RUNNING_RULES_MAX = 512;
/** Events a minute; far beyond what a sane scheme gives, and below what would wear the flash out. */
export const EVENTS_A_MINUTE_MAX = 6000;
const MINUTE_MS = 60_000;
/** A timer is never set for sooner than this after the last. */
const TICK_MS_MIN = 10;

export function createCollector(options: CollectorOptions): Collector {
  return new RunningCollector(options);
}

type Running = { readonly rule: RunningRule; readonly expiresAtMs: number };

class RunningCollector implements Collector {
  readonly #options: CollectorOptions;
  readonly #view: View;
  readonly #subscription: { readonly cancel: () => void };
  readonly #reception: { readonly close: () => void };
  #rules: Running[] = [];
  #bySignal = new Map<SignalName, Running[]>();
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #nextDueMs = Number.NEGATIVE_INFINITY;
  #minute = { startMs: 0, events: 0 };
  #events = 0;
  #suppressed = 0;

  constructor(options: CollectorOptions) {
    const { profile, store } = options;
    this.#options = options;
    this.#view = new View(profile.profile.limits);
    this.apply(
      options.schemes ?? [
        loadScheme("car-sharing.json", readShippedScheme("car-sharing"), profile.profile),
      ],
    );
    this.#subscription = store.subscribe((changes) => this.#take(changes.signals()));
    this.#reception = watchReception({ store, clock: options.clock, emit: this.#out });
  }

  apply(schemes: readonly CheckedScheme[]): void {
    const { store } = this.#options;
    const context = {
      ...this.#options,
      provides: (name: SignalName): boolean => store.provides(name),
    };
    const byPriority = [...schemes].sort((a, b) => b.scheme.priority - a.scheme.priority);
    const rules: Running[] = [];
    for (const { scheme, rules: makers } of byPriority) {
      if (rules.length + makers.length > RUNNING_RULES_MAX) continue;
      const expiresAtMs = scheme.expiresAtMs ?? Number.POSITIVE_INFINITY;
      rules.push(...makers.map((make) => ({ rule: make(context), expiresAtMs })));
    }
    // Those that keep what others ask about are told first.
    const keeps = ({ rule }: Running): number => (rule.keepsCar ? 0 : 1);
    this.#rules = rules.sort((a, b) => keeps(a) - keeps(b));
    this.#bySignal = new Map();
    for (const running of this.#rules) {
      for (const name of running.rule.wants) {
        const list = this.#bySignal.get(name) ?? [];
        list.push(running);
        this.#bySignal.set(name, list);
      }
    }
    this.#nextDueMs = Number.NEGATIVE_INFINITY;
    const known = Object.keys(SIGNALS)
      .filter(isSignalName)
      .map((name) => store.read(name));
    this.#take(known.filter(({ quality }) => quality === "good"));
  }

  stats(): CollectorStats {
    return { events: this.#events, suppressed: this.#suppressed };
  }

  close(): void {
    this.#subscription.cancel();
    this.#reception.close();
    this.#timer?.cancel();
  }

  #take(changes: readonly Signal[]): void {
    for (const signal of changes) {
      if (signal.bootMs >= this.#nextDueMs) this.#runDue(signal.bootMs);
      this.#view.take(signal);
      for (const running of this.#bySignal.get(signal.name) ?? []) {
        if (!this.#alive(running)) continue;
        running.rule.change(this.#view, signal, this.#out);
        this.#nextDueMs = Math.min(this.#nextDueMs, running.rule.dueMs());
      }
    }
    this.#arm();
  }

  #alive({ expiresAtMs }: Running): boolean {
    return expiresAtMs === Number.POSITIVE_INFINITY || this.#options.clock.wallMs() < expiresAtMs;
  }

  #runDue(nowMs: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const running of this.#rules) {
      if (!this.#alive(running)) continue;
      const { rule } = running;
      if (rule.dueMs() <= nowMs) rule.due(this.#view, nowMs, this.#out);
      next = Math.min(next, rule.dueMs());
    }
    this.#nextDueMs = next;
  }

  /** One timer for all rules, moved only when it would come too late. */
  #arm(): void {
    const dueMs = this.#nextDueMs;
    if (dueMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = dueMs;
    const delayMs = Math.max(TICK_MS_MIN, dueMs - this.#options.clock.bootMs());
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#runDue(Math.max(this.#options.clock.bootMs(), dueMs));
      this.#arm();
    });
  }

  readonly #out = (event: Collected): void => {
    const { bootMs } = event;
    if (bootMs - this.#minute.startMs >= MINUTE_MS) this.#minute = { startMs: bootMs, events: 0 };
    this.#minute.events += 1;
    if (this.#minute.events > EVENTS_A_MINUTE_MAX) {
      this.#suppressed += 1;
      return;
    }
    this.#events += 1;
    this.#options.emit(event);
  };
}
