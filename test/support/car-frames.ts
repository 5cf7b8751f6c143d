/** Frames of a car as its profile lays them out, with counters and checksums as a real one stamps them. */
import {
  type BusFrame,
  type CompiledProfile,
  type EncodeValues,
  type SignalStore,
  stampE2e,
} from "@kerbside/can";
import type { Clock } from "@kerbside/protocol";

export class CarFrames {
  readonly #profile: CompiledProfile;
  readonly #clock: Clock;
  readonly #counters = new Map<string, number>();

  constructor(profile: CompiledProfile, clock: Clock) {
    this.#profile = profile;
    this.#clock = clock;
  }

  /** The next frame of a message; `skip` counters are left out before it. */
  make(message: string, values: EncodeValues, skip = 0): BusFrame {
    const bound = this.#profile.messages.find(({ name }) => name === message);
    if (bound === undefined) throw new Error(`no message ${message}`);
    const counter = (this.#counters.get(message) ?? -1) + 1 + skip;
    this.#counters.set(message, counter);
    const data = bound.compiled.encode(values);
    stampE2e(bound, data, counter);
    const { id, ext, canFd } = bound.compiled.message;
    const bootMs = this.#clock.bootMs();
    return { timeUs: null, bus: "test", id, ext, kind: "data", fd: canFd, data, bootMs };
  }

  send(store: SignalStore, messages: Readonly<Record<string, EncodeValues>>): void {
    store.ingest(Object.entries(messages).map(([name, values]) => this.make(name, values)));
  }
}
