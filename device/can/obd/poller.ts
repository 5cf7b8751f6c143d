/**
 * Asks a car for what its bus does not say by itself. Off unless the profile asks for it. Whoever asks disturbs:
 * so one question at a time, a gap after each, none in the first moments after the ignition, none at all while
 * another tester is heard, and none that would keep a sleeping bus awake.
 */
import type { Clock, SignalName, Timer } from "@kerbside/protocol";
import type { BusFrame, CanBus } from "../bus/bus.ts";
import type { ObdRule } from "../profile/model.ts";
import type { SignalStore } from "../store/index.ts";
import { createDiagnosisClient, type DiagnosisClient } from "./client.ts";
import { ADDRESSES, FALLBACKS, SERVICES, type ServiceRow, type Topic } from "./services.ts";

const IGNITION: SignalName = "Vehicle.LowVoltageSystemState";
/** A bus without a frame for this long may be asleep. */
const AWAKE_MS = 2000;
/** Where nothing is heard by itself (a gateway), one question in this time finds out whether the car is awake. */
const PROBE_MS = 60_000;
/** Questions in a row without an answer after which the car is taken to be off. */
const SILENCES_OFF = 3;
/** A question that the car said no to is not asked again. */
const REFUSALS_MAX = 2;
/** Another tester on the bus: then ours keeps quiet this long. */
const YIELD_MS = 30_000;
const STALE_INTERVALS = 5;
/** Tester addresses that are not ours: 0x7DF, 0x7E0 to 0x7E7 (ISO 15765-4 §6.3.2.2). */
const isTester = ({ id, ext }: BusFrame): boolean =>
  ext
    ? (id & 0x1fff00ff) === 0x18da00f1 || id === 0x18db33f1
    : id === 0x7df || (id >= 0x7e0 && id <= 0x7e7);

export type ObdPoller = {
  /** Every frame of the bus is shown to it. A bus does not hand us our own. */
  readonly take: (frames: readonly BusFrame[]) => void;
  readonly stats: () => { readonly asked: number; readonly answered: number };
  readonly stop: () => void;
};

type Question = {
  readonly topic: Topic;
  row: ServiceRow;
  nextMs: number;
  refusals: number;
};

export function startObdPoller(options: {
  readonly rule: ObdRule;
  readonly bus: Pick<CanBus, "send" | "state">;
  readonly store: SignalStore;
  readonly clock: Clock;
}): ObdPoller {
  return new Poller(options);
}

class Poller implements ObdPoller {
  readonly #rule: ObdRule;
  readonly #bus: Pick<CanBus, "send" | "state">;
  readonly #store: SignalStore;
  readonly #clock: Clock;
  readonly #client: DiagnosisClient;
  readonly #questions: Question[];
  /** Whether the profile tells of the ignition; else it is told from whether the car answers. */
  readonly #seesIgnition: boolean;
  readonly #subscription: { readonly cancel: () => void };
  #timer: Timer | undefined;
  #stopped = false;
  #heardMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs: number;
  #silences = SILENCES_OFF;
  #asked = 0;
  #answered = 0;

  constructor(options: Parameters<typeof startObdPoller>[0]) {
    const { rule, bus, store, clock } = options;
    this.#rule = rule;
    this.#bus = bus;
    this.#store = store;
    this.#clock = clock;
    this.#seesIgnition = store.provides(IGNITION);
    // What the bus tells by itself is not asked for.
    this.#questions = rule.ask
      .filter((topic) => !store.provides(SERVICES[topic].signal))
      .map((topic) => ({ topic, row: SERVICES[topic], nextMs: 0, refusals: 0 }));
    this.#client = createDiagnosisClient({
      addresses: ADDRESSES[rule.addressing],
      send: (frame) => bus.send(frame),
      clock,
    });
    this.#notBeforeMs = clock.bootMs() + rule.quietAfterIgnitionMs;
    this.#subscription = store.subscribe((changes) => {
      for (const { name, value, quality } of changes.signals()) {
        if (!this.#seesIgnition || name !== IGNITION || quality !== "good") continue;
        if (value === "ON" || value === "START") this.#hold(rule.quietAfterIgnitionMs);
      }
    });
    this.#arm(0);
  }

  take(frames: readonly BusFrame[]): void {
    for (const frame of frames) {
      this.#heardMs = frame.bootMs;
      if (isTester(frame)) this.#hold(YIELD_MS);
      this.#client.take(frame);
    }
  }

  stats(): { readonly asked: number; readonly answered: number } {
    return { asked: this.#asked, answered: this.#answered };
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#subscription.cancel();
    this.#client.close();
  }

  #hold(ms: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#clock.bootMs() + ms);
  }

  #arm(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(Math.max(this.#rule.gapMs, delayMs), () => {
      this.#next().catch(() => this.#arm(PROBE_MS));
    });
  }

  /** How long to wait before anything may be asked; 0: now. */
  #waitMs(nowMs: number): number {
    if (nowMs < this.#notBeforeMs) return this.#notBeforeMs - nowMs;
    if (this.#bus.state() !== "up" && this.#bus.state() !== "silent") return AWAKE_MS;
    if (this.#seesIgnition) return this.#store.good(IGNITION) === "ON" ? 0 : AWAKE_MS;
    const awake = nowMs - this.#heardMs < AWAKE_MS || this.#silences < SILENCES_OFF;
    return awake ? 0 : PROBE_MS;
  }

  async #next(): Promise<void> {
    const nowMs = this.#clock.bootMs();
    const waitMs = this.#waitMs(nowMs);
    // However long it is to keep quiet: only what may be asleep is probed.
    const isHeld = nowMs < this.#notBeforeMs;
    if (isHeld || (waitMs > 0 && waitMs < PROBE_MS)) return this.#arm(waitMs);
    const question = this.#questions.reduce<Question | undefined>(
      (first, q) => (first === undefined || q.nextMs < first.nextMs ? q : first),
      undefined,
    );
    if (question === undefined) return;
    if (question.nextMs > nowMs) return this.#arm(question.nextMs - nowMs);
    await this.#ask(question);
    this.#arm(this.#waitMs(this.#clock.bootMs()));
  }

  async #ask(question: Question): Promise<void> {
    const { row } = question;
    this.#asked += 1;
    const reply = await this.#client.ask(row.request);
    const nowMs = this.#clock.bootMs();
    question.nextMs = nowMs + row.everyMs;
    if (reply.kind === "silence") {
      this.#silences += 1;
      if (this.#silences >= SILENCES_OFF) this.#tellIgnition("OFF", nowMs);
      return;
    }
    this.#answered += 1;
    this.#silences = 0;
    this.#tellIgnition("ON", nowMs);
    if (reply.kind === "negative") return this.#refused(question);
    const staleMs = Math.max(STALE_INTERVALS * row.everyMs, STALE_INTERVALS * this.#roundMs());
    this.#store.put(row.signal, row.read(reply.data), nowMs, staleMs);
  }

  /** Time in which every question has its turn. */
  #roundMs(): number {
    return this.#questions.length * this.#rule.gapMs;
  }

  #refused(question: Question): void {
    question.refusals += 1;
    if (question.refusals < REFUSALS_MAX) return;
    const fallback = FALLBACKS[question.topic];
    if (fallback === undefined || fallback === question.row) {
      question.nextMs = Number.POSITIVE_INFINITY;
      return;
    }
    question.row = fallback;
    question.refusals = 0;
    question.nextMs = 0;
  }

  #tellIgnition(state: "ON" | "OFF", nowMs: number): void {
    if (this.#seesIgnition) return;
    this.#store.put(IGNITION, state, nowMs, PROBE_MS + STALE_INTERVALS * AWAKE_MS);
  }
}
