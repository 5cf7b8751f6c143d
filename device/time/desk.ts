/**
 * Keeps the car's trusted time: knows what was asked, judges the answers, remembers the floor. The shell around
 * interval.ts; its file is a two-copy one that whoever composes the agent opens.
 */
import {
  type Address,
  type Clock,
  decode,
  encode,
  equalBytes,
  field,
  type Log,
  openTime,
  optional,
  ProtocolError,
  real,
  struct,
  text,
  uint,
  type VerifyKey,
} from "@kerbside/protocol";
import {
  hinted,
  type Interval,
  type Known,
  NOTHING_KNOWN,
  readTime,
  signed,
  type TimeReading,
} from "./interval.ts";

/** An answer that takes longer says too little to be worth having. */
export const ROUND_MS_MAX = 60_000;
/** The floor is written when it has moved by this much: flash wears. */
const FLOOR_STEP_MS = 60_000;
const WALL_MS_MAX = 1e15;

/** Where the floor is kept: what a two-copy file does. */
export type FloorFile = {
  readonly content: Uint8Array | undefined;
  readonly write: (content: Uint8Array) => Promise<void>;
};

const internal = { class: "Internal" } as const;
const wall = real(-WALL_MS_MAX, WALL_MS_MAX);
const intervalCodec = struct("bounds of the time", {
  bootMs: field(0, real(0, WALL_MS_MAX), { ...internal, doc: "on the boot clock", unit: "ms" }),
  fromMs: field(1, wall, { ...internal, doc: "no earlier, Unix time", unit: "ms" }),
  toMs: field(2, wall, { ...internal, doc: "no later, Unix time", unit: "ms" }),
});
const floorCodec = struct("what is known of the time", {
  floorMs: field(0, uint(WALL_MS_MAX), { ...internal, doc: "Unix time", unit: "ms" }),
  boot: field(1, text(64), { ...internal, doc: "the boot that `signed` belongs to" }),
  signed: optional(2, intervalCodec, { ...internal, doc: "by the cloud, in that boot" }),
});

export type TimeDeskOptions = {
  readonly address: Address;
  /** The tenant's time key in force; undefined where the car was given none. */
  readonly timeKey: () => VerifyKey | undefined;
  readonly file: FloorFile;
  /** Names this boot of the machine: bounds kept from the same boot still hold after a restart of the agent. */
  readonly bootId: string;
  readonly clock: Pick<Clock, "bootMs">;
  readonly log: Log;
  /** Called when what is known has changed by an answer or a first hint. */
  readonly onChange?: (reading: TimeReading, source: "cloud" | "gnss" | "ntp") => void;
};

export type TimeTaken =
  | { readonly taken: true; readonly reading: TimeReading }
  | {
      readonly taken: false;
      readonly reason:
        | "no_key"
        | "malformed"
        | "unauthenticated"
        | "other_car"
        | "other_epoch"
        | "unknown_nonce"
        | "too_late"
        | "below_floor";
    };

export class TrustedTime {
  readonly #options: TimeDeskOptions;
  #known: Known;
  #writtenFloorMs: number;
  #asked:
    | { readonly nonce: Uint8Array; readonly epoch: Uint8Array; readonly bootMs: number }
    | undefined;

  /** A file that is damaged counts as none: nothing is known then, and new grants wait for the cloud. */
  constructor(options: TimeDeskOptions) {
    this.#options = options;
    this.#known = kept(options);
    this.#writtenFloorMs = this.#known.floorMs;
  }

  /** A fresh nonce was announced in `epoch`. It takes the place of the one before, which is good no more. */
  announced(nonce: Uint8Array, epoch: Uint8Array): void {
    this.#asked = { nonce, epoch, bootMs: this.#options.clock.bootMs() };
  }

  /** Takes a message from `time`. Authenticates first; a nonce is good once. Never throws for what it says. */
  take(envelope: Uint8Array): TimeTaken {
    const { clock, log } = this.#options;
    const taken = this.#judge(envelope, clock.bootMs());
    if (!taken.taken) log.warn("time.not_taken", { reason: taken.reason });
    return taken;
  }

  /** A time that nobody signed. Says whether it could be used. */
  hint(source: "gnss" | "ntp", wallMs: number, doubtMs: number): boolean {
    const step = hinted(this.#known, { bootMs: this.#options.clock.bootMs(), wallMs, doubtMs });
    if (!step.taken) {
      if (step.reason === "contradicts")
        this.#options.log.warn("time.hint_contradicts", { source });
      return false;
    }
    const isFirst = this.#known.narrow === undefined;
    this.#known = step.known;
    if (isFirst) this.#options.onChange?.(this.read(), source);
    return true;
  }

  read(): TimeReading {
    return readTime(this.#known, this.#options.clock.bootMs());
  }

  #judge(envelope: Uint8Array, heardMs: number): TimeTaken {
    const { address, timeKey } = this.#options;
    const key = timeKey();
    if (key === undefined) return { taken: false, reason: "no_key" };
    const said = open(key, envelope);
    if (typeof said === "string") return { taken: false, reason: said };
    if (said.tenant !== address.tenant || said.vehicle !== address.vehicle)
      return { taken: false, reason: "other_car" };
    const asked = this.#asked;
    if (asked === undefined || !equalBytes(asked.nonce, said.nonce))
      return { taken: false, reason: "unknown_nonce" };
    if (!equalBytes(asked.epoch, said.epoch)) return { taken: false, reason: "other_epoch" };
    this.#asked = undefined;
    if (heardMs - asked.bootMs > ROUND_MS_MAX) return { taken: false, reason: "too_late" };
    const { wallMs, doubtMs } = said;
    const step = signed(this.#known, { askedMs: asked.bootMs, heardMs, wallMs, doubtMs });
    if (!step.taken) return { taken: false, reason: "below_floor" };
    const isFirst = this.#known.signed === undefined;
    this.#known = step.known;
    this.#keep(step.known.floorMs, step.known.signed, isFirst);
    const reading = this.read();
    this.#options.onChange?.(reading, "cloud");
    return { taken: true, reading };
  }

  #keep(floorMs: number, anchor: Interval, always: boolean): void {
    const { file, bootId, log } = this.#options;
    if (!always && floorMs - this.#writtenFloorMs < FLOOR_STEP_MS) return;
    this.#writtenFloorMs = floorMs;
    const content = { floorMs, boot: bootId, signed: anchor };
    file.write(encode(floorCodec, content)).catch(() => log.error("time.floor_not_kept", {}));
  }
}

function open(key: VerifyKey, envelope: Uint8Array): ReturnType<typeof openTime> | ErrorWord {
  try {
    return openTime(key, envelope);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.code === "unauthenticated" ? "unauthenticated" : "malformed";
  }
}
type ErrorWord = "unauthenticated" | "malformed";

function kept({ file, bootId, clock }: TimeDeskOptions): Known {
  if (file.content === undefined) return NOTHING_KNOWN;
  try {
    const { floorMs, boot, signed: anchor } = decode(floorCodec, file.content);
    const isThisBoot = boot === bootId && anchor !== undefined && clock.bootMs() >= anchor.bootMs;
    return isThisBoot ? { floorMs, signed: anchor satisfies Interval } : { floorMs };
  } catch (error) {
    if (error instanceof ProtocolError) return NOTHING_KNOWN;
    throw error;
  }
}
