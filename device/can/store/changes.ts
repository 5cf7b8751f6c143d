/**
 * What changed in one batch, in columns: on a busy bus most changes are looked at by nobody, and an object for each
 * would cost more than decoding. The objects are built for the first listener that asks, and shared.
 */
import { type Quality, type Signal, type SignalValue, signalByCode } from "@kerbside/protocol";

export type Changes = {
  readonly size: number;
  /** In order. Must be asked for before the listener returns; the list and what is in it may be kept. */
  readonly signals: () => readonly Signal[];
};

const ROOM_AT_FIRST = 256;

/** Grows with the batch; a batch is bounded by whoever hands over frames. */
export class ChangeColumns implements Changes {
  #size = 0;
  #codes = new Uint16Array(ROOM_AT_FIRST);
  #times = new Float64Array(ROOM_AT_FIRST);
  #numbers = new Float64Array(ROOM_AT_FIRST);
  /** All but good numbers, by place. */
  readonly #others = new Map<number, Pick<Signal, "value" | "quality">>();
  #built: readonly Signal[] | undefined;

  get size(): number {
    return this.#size;
  }

  /** A good value that is a number. */
  addNumber(code: number, value: number, bootMs: number): void {
    const at = this.#size;
    if (at === this.#codes.length) this.#grow();
    this.#codes[at] = code;
    this.#times[at] = bootMs;
    this.#numbers[at] = value;
    this.#size = at + 1;
  }

  add(code: number, value: SignalValue | undefined, quality: Quality, bootMs: number): void {
    this.#others.set(this.#size, { value, quality });
    this.addNumber(code, Number.NaN, bootMs);
  }

  signals(): readonly Signal[] {
    this.#built ??= this.#build();
    return this.#built;
  }

  clear(): void {
    this.#size = 0;
    this.#others.clear();
    this.#built = undefined;
  }

  #build(): readonly Signal[] {
    const signals: Signal[] = [];
    for (let at = 0; at < this.#size; at++) {
      const name = signalByCode(this.#codes[at] ?? 0);
      if (name === undefined) continue;
      const bootMs = this.#times[at] ?? 0;
      const other = this.#others.get(at);
      if (other !== undefined) signals.push({ name, ...other, bootMs });
      else signals.push({ name, value: this.#numbers[at] ?? 0, quality: "good", bootMs });
    }
    return signals;
  }

  #grow(): void {
    const room = this.#codes.length * 2;
    const codes = new Uint16Array(room);
    const times = new Float64Array(room);
    const numbers = new Float64Array(room);
    codes.set(this.#codes);
    times.set(this.#times);
    numbers.set(this.#numbers);
    this.#codes = codes;
    this.#times = times;
    this.#numbers = numbers;
  }
}
