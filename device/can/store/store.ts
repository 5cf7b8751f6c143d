/** The latest value of each signal, with its time and quality. */
import {
  type Clock,
  type Quality,
  SIGNALS,
  type Signal,
  type SignalName,
  type SignalValue,
  signalRow,
  signalValueError,
  type Timer,
} from "@kerbside/protocol";
import type { BusFrame } from "../bus/bus.ts";
import { DECODED_ALL, DECODED_NONE } from "../dbc/index.ts";
import type { BoundLeaf, BoundMessage, CompiledProfile } from "../profile/link.ts";
import { ChangeColumns, type Changes } from "./changes.ts";
import { checksumHolds, counterMoves, newReception, type Reception } from "./receive.ts";
import { TextAssembler } from "./texts.ts";

export type StoreStats = {
  /** Data frames of messages that the profile knows, and of all others. */
  readonly frames: number;
  readonly ignored: number;
  readonly corrupt: number;
  readonly repeated: number;
  readonly missed: number;
};

export type SignalStore = {
  /** Takes frames in their order; subscribers are told before it returns. */
  readonly ingest: (frames: readonly BusFrame[]) => void;
  /** A value from elsewhere (OBD, a GNSS receiver). Undefined: that source has none now. Stale after `staleMs`. */
  readonly put: (
    name: SignalName,
    value: SignalValue | undefined,
    bootMs: number,
    staleMs: number,
  ) => void;
  readonly read: (name: SignalName) => Signal;
  /** The value if its quality is good. */
  readonly good: (name: SignalName) => SignalValue | undefined;
  /** Whether the profile or a `put` gives it. */
  readonly provides: (name: SignalName) => boolean;
  /** Calls with what changed in value or quality, in order, after each batch. Must not ingest. */
  readonly subscribe: (listener: (changes: Changes) => void) => {
    readonly cancel: () => void;
  };
  /** When the last data frame came, whatever it was; undefined: none yet. */
  readonly lastFrameMs: () => number | undefined;
  readonly stats: () => StoreStats;
  /** Of each message of the profile. */
  readonly receptions: () => ReadonlyMap<string, Readonly<Reception>>;
  readonly close: () => void;
};

/** What is behind a quality: `code` and `range` are of the value, `frame` of the message that carried it. */
const NEVER = 0;
const GOOD = 1;
const CODE = 2;
const RANGE = 3;
const FRAME = 4;
const STALE = 5;
const QUALITY_OF: readonly Quality[] = [
  "unknown",
  "good",
  "unknown",
  "invalid",
  "invalid",
  "stale",
];

/** How long a value may be stale before subscribers are told; `read` always knows. */
const SWEEP_MS = 100;
/** Identifiers remembered as not ours. Beyond it the memory starts anew. */
const IDS_MAX = 8192;
const EXTENDED_KEY = 0x2000_0000;
const CODES: number = 1 + Math.max(...Object.values(SIGNALS).map(({ code }) => code));

type Slot = BoundLeaf & {
  readonly code: number;
  /** Plain bounds of numbers, checked without making words of it. */
  readonly min: number;
  readonly max: number;
};

type Binding = {
  readonly message: BoundMessage;
  readonly slots: readonly Slot[];
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly reception: Reception;
  readonly texts: readonly TextAssembler[];
};

export function createSignalStore(options: {
  readonly profile: CompiledProfile;
  readonly clock: Clock;
}): SignalStore {
  return new Store(options.profile, options.clock);
}

class Store implements SignalStore {
  readonly #profile: CompiledProfile;
  readonly #clock: Clock;
  readonly #bindings = new Map<number, Binding | null>();
  readonly #all: readonly Binding[];
  readonly #state = new Uint8Array(CODES);
  readonly #times = new Float64Array(CODES);
  readonly #staleMs = new Float64Array(CODES);
  /** The physical value that the state was judged by. */
  readonly #shadow = new Float64Array(CODES).fill(Number.NaN);
  /** Good values that are numbers, apart from the others: a number in here costs no memory of its own. */
  readonly #numbers = new Float64Array(CODES).fill(Number.NaN);
  readonly #values: (SignalValue | undefined)[] = new Array(CODES).fill(undefined);
  readonly #listeners = new Set<(changes: Changes) => void>();
  #changes = new ChangeColumns();
  /** The other one of two that take turns; undefined while listeners look at it. */
  #spare: ChangeColumns | undefined;
  #frames = 0;
  #ignored = 0;
  #lastFrameMs: number | undefined;
  /** Undefined while no value can grow stale: a parked car's agent is not woken for nothing. */
  #sweeper: Timer | undefined;
  #closed = false;

  constructor(profile: CompiledProfile, clock: Clock) {
    this.#profile = profile;
    this.#clock = clock;
    const texts = profile.texts.map((text) => new TextAssembler(text));
    this.#all = profile.messages.map((message) => bindingOf(message, texts));
    for (const { slots } of this.#all) {
      for (const { code, staleMs } of slots) this.#staleMs[code] = staleMs;
    }
    for (const { name, staleMs } of profile.texts) this.#staleMs[SIGNALS[name].code] = staleMs;
  }

  ingest(frames: readonly BusFrame[]): void {
    for (const frame of frames) {
      if (frame.kind !== "data") continue;
      this.#lastFrameMs = frame.bootMs;
      const binding = this.#find(frame.id, frame.ext);
      if (binding === null) this.#ignored += 1;
      else this.#take(binding, frame.data, frame.bootMs);
    }
    this.#flush();
  }

  put(name: SignalName, value: SignalValue | undefined, bootMs: number, staleMs: number): void {
    const { code } = SIGNALS[name];
    this.#staleMs[code] = staleMs;
    this.#times[code] = bootMs;
    this.#shadow[code] = Number.NaN;
    const wrong = value !== undefined && signalValueError(name, value) !== undefined;
    this.#set(code, value === undefined ? CODE : wrong ? RANGE : GOOD, value);
    this.#flush();
  }

  read(name: SignalName): Signal {
    const { code } = SIGNALS[name];
    const state = this.#state[code] ?? NEVER;
    const bootMs = this.#times[code] ?? 0;
    const old = state !== NEVER && this.#clock.bootMs() - bootMs > (this.#staleMs[code] ?? 0);
    const quality = QUALITY_OF[old ? STALE : state] ?? "unknown";
    return { name, value: this.#valueOf(code), quality, bootMs };
  }

  good(name: SignalName): SignalValue | undefined {
    const { quality, value } = this.read(name);
    return quality === "good" ? value : undefined;
  }

  provides(name: SignalName): boolean {
    return (this.#staleMs[SIGNALS[name].code] ?? 0) > 0;
  }

  subscribe(listener: (changes: Changes) => void): { readonly cancel: () => void } {
    this.#listeners.add(listener);
    return { cancel: () => this.#listeners.delete(listener) };
  }

  lastFrameMs(): number | undefined {
    return this.#lastFrameMs;
  }

  stats(): StoreStats {
    const sum = (of: "corrupt" | "repeated" | "missed"): number =>
      this.#all.reduce((total, { reception }) => total + reception[of], 0);
    return {
      frames: this.#frames,
      ignored: this.#ignored,
      corrupt: sum("corrupt"),
      repeated: sum("repeated"),
      missed: sum("missed"),
    };
  }

  receptions(): ReadonlyMap<string, Readonly<Reception>> {
    return new Map(this.#all.map(({ message, reception }) => [message.name, { ...reception }]));
  }

  close(): void {
    this.#closed = true;
    this.#sweeper?.cancel();
    this.#listeners.clear();
  }

  #find(id: number, ext: boolean): Binding | null {
    const key = ext ? id + EXTENDED_KEY : id;
    const known = this.#bindings.get(key);
    if (known !== undefined) return known;
    if (this.#bindings.size >= IDS_MAX) this.#bindings.clear();
    const compiled = this.#profile.dbc.find(id, ext);
    const binding = this.#all.find(({ message }) => message.compiled === compiled) ?? null;
    this.#bindings.set(key, binding);
    return binding;
  }

  #take(binding: Binding, data: Uint8Array, bootMs: number): void {
    const { message, slots, values, present, reception } = binding;
    this.#frames += 1;
    if (!checksumHolds(message, data)) {
      reception.corrupt += 1;
      this.#distrust(binding);
      return;
    }
    const status = message.compiled.decodeInto(data, values, 0, present);
    if (status === DECODED_NONE) {
      reception.corrupt += 1;
      this.#distrust(binding);
      return;
    }
    const counterSlot = message.e2e?.counter?.slot;
    const counter = counterSlot === undefined ? undefined : values[counterSlot];
    if (!counterMoves(message, reception, counter, bootMs)) {
      this.#distrust(binding);
      return;
    }
    const whole = status === DECODED_ALL;
    const states = this.#state;
    const times = this.#times;
    const shadow = this.#shadow;
    const numbers = this.#numbers;
    const changes = this.#changes;
    for (const slot of slots) {
      if (!whole && present[slot.slot] === 0) continue;
      const physical = values[slot.slot] ?? Number.NaN;
      const { code } = slot;
      const state = states[code] ?? NEVER;
      times[code] = bootMs;
      if (physical === shadow[code] && state !== NEVER && state <= RANGE) continue;
      shadow[code] = physical;
      if (!(slot.plain && physical >= slot.min && physical <= slot.max)) {
        this.#judge(slot, physical);
      } else if (state !== GOOD || numbers[code] !== physical) {
        // The way of most values, without a call: a number as it is, within its bounds.
        states[code] = GOOD;
        numbers[code] = physical;
        changes.addNumber(code, physical, bootMs);
      }
    }
    for (const text of binding.texts) this.#takeText(text, message, data, bootMs);
  }

  /** A new physical value, or one whose quality was in doubt. */
  #judge(slot: Slot, physical: number): void {
    const value = slot.convert(physical);
    const outside = typeof value === "number" && !(value >= slot.min && value <= slot.max);
    this.#set(slot.code, value === undefined ? CODE : outside ? RANGE : GOOD, value);
  }

  #takeText(text: TextAssembler, message: BoundMessage, data: Uint8Array, bootMs: number): void {
    if (!text.take(message, data)) return;
    const { name } = text.rule;
    const { code } = SIGNALS[name];
    this.#times[code] = bootMs;
    this.#set(code, text.value === undefined ? CODE : GOOD, text.value);
  }

  /** A frame that cannot be believed makes what hangs on it invalid, until a good one comes. */
  #distrust({ slots }: Binding): void {
    for (const { code } of slots) {
      if (this.#state[code] !== NEVER) this.#set(code, FRAME, undefined);
    }
  }

  /** Keeps the last good value where the new state is not good. */
  #set(code: number, state: number, value: SignalValue | undefined): void {
    const before = this.#state[code] ?? NEVER;
    const same = state !== GOOD || this.#valueOf(code) === value;
    this.#state[code] = state;
    if (state === GOOD) this.#keep(code, value);
    if (same && QUALITY_OF[before] === QUALITY_OF[state] && before !== NEVER) return;
    const quality = QUALITY_OF[state] ?? "unknown";
    this.#changes.add(code, this.#valueOf(code), quality, this.#times[code] ?? 0);
  }

  #keep(code: number, value: SignalValue | undefined): void {
    if (typeof value === "number") this.#numbers[code] = value;
    else this.#values[code] = value;
  }

  /** A leaf is of one type for good, so one of the two places has it. */
  #valueOf(code: number): SignalValue | undefined {
    const number = this.#numbers[code] ?? Number.NaN;
    return Number.isNaN(number) ? this.#values[code] : number;
  }

  #flush(): void {
    const changes = this.#changes;
    if (changes.size === 0) return;
    this.#watch();
    this.#changes = this.#spare ?? new ChangeColumns();
    this.#spare = undefined;
    for (const listener of this.#listeners) listener(changes);
    changes.clear();
    this.#spare = changes;
  }

  #sweep(): void {
    this.#sweeper = undefined;
    const now = this.#clock.bootMs();
    let fresh = 0;
    for (let code = 0; code < CODES; code++) {
      const state = this.#state[code] ?? NEVER;
      if (state === NEVER || state === STALE) continue;
      if (now - (this.#times[code] ?? 0) <= (this.#staleMs[code] ?? 0)) {
        fresh += 1;
        continue;
      }
      this.#set(code, STALE, undefined);
    }
    this.#flush();
    if (fresh > 0) this.#watch();
  }

  #watch(): void {
    if (this.#sweeper !== undefined || this.#closed) return;
    this.#sweeper = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }
}

function bindingOf(message: BoundMessage, texts: readonly TextAssembler[]): Binding {
  const slots = message.leaves.map((leaf): Slot => {
    const row = signalRow(leaf.name);
    const [min, max] = row.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    return { ...leaf, code: row.code, min, max };
  });
  return {
    message,
    slots,
    values: new Float64Array(message.compiled.slotCount),
    present: new Uint8Array(message.compiled.slotCount),
    reception: newReception(),
    texts: texts.filter(({ rule }) => rule.pieces.some((piece) => piece.message === message.name)),
  };
}
