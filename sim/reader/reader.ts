/**
 * The card and phone reader behind the windscreen, played by a Unix socket, with whatever is held to it: a card that
 * answers its AES challenge or only has a number, a phone with a key and perhaps a grant that it brings along.
 */
import {
  answerChallenge,
  type CardChip,
  type Clock,
  type GrantAction,
  type LinkStep,
  type Random,
  READER_UID_BYTES_MAX,
  ReaderLinkSession,
  type ReaderMessage,
  type ReaderMessageOf,
  ReaderParts,
  type ReaderSignal,
  readerParts,
  sealPin,
  signingKey,
  stepCardChip,
  utf8,
} from "@kerbside/protocol";
import { type OpenLine, socketLine } from "../lock/line.ts";
import { type LinkEndpoint, serveLink } from "../lock/link-endpoint.ts";

export type CardTap = {
  readonly kind: "card";
  /** 4, 7 or 10 bytes. */
  readonly uid: Uint8Array;
  /** 16 bytes; a card without one only has its number. */
  readonly key?: Uint8Array;
  /** What is entered where the car asks for a PIN. */
  readonly pin?: string;
};
export type PhoneTap = {
  readonly kind: "phone";
  /** Of its Ed25519 key, 32 bytes. */
  readonly seed: Uint8Array;
  readonly action: GrantAction;
  /** A signed carried grant. */
  readonly carried?: Uint8Array;
};
/** What the reader showed; `no_car`: the module is not there; `silent`: it showed nothing in time. */
export type TapOutcome = ReaderSignal | "no_car" | "silent";

export type ReaderOptions = {
  /** Of a Unix socket, or the line itself. */
  readonly path: string | OpenLine;
  /** 32 bytes, the same as the module's for its reader. */
  readonly pairingKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Pick<Random, "bytes">;
  /** How long something is held there at most; nobody holds a card to a reader for longer than half a minute. */
  readonly tapMsMax?: number;
};
export type Reader = {
  /** Holds it to the reader until the reader has shown something. One at a time. Never rejects. */
  readonly tap: (what: CardTap | PhoneTap) => Promise<TapOutcome>;
  readonly state: () => ReturnType<LinkEndpoint<ReaderMessage>["state"]>;
  /** The last thing it showed. */
  readonly shown: () => ReaderSignal | undefined;
  readonly unplug: (unplugged: boolean) => void;
  readonly tamper: (opened: boolean) => void;
  readonly close: () => Promise<void>;
};

const READER_ID = utf8("KSREAD01");
const FIRMWARE = { major: 1, minor: 0, patch: 0 } as const;
const CHALLENGE_BYTES = 16;
const REPEAT_MS = 1000;
const TAP_MS_MAX = 30_000;

/** Opens the line. Rejects if somebody else serves it. */
export async function serveReader(options: ReaderOptions): Promise<Reader> {
  const reader = new SimulatedReader(options);
  await reader.open();
  return reader;
}

type Held = {
  readonly presentation: number;
  readonly what: CardTap | PhoneTap;
  readonly parts: ReaderParts;
  readonly over: (outcome: TapOutcome) => void;
  chip: CardChip;
};

class SimulatedReader implements Reader {
  readonly #options: ReaderOptions;
  #endpoint: LinkEndpoint<ReaderMessage> | undefined;
  #held: Held | undefined;
  #presentations = 0;
  #shown: ReaderSignal | undefined;
  #tamper = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { path, pairingKey, clock, random } = this.#options;
    this.#endpoint = await serveLink({
      line: typeof path === "string" ? socketLine(path) : path,
      clock,
      fresh: () =>
        new ReaderLinkSession({
          role: "controller",
          pairingKey,
          id: READER_ID,
          random,
          firmware: FIRMWARE,
        }),
      onMessage: (message) => this.#take(message),
      isAwake: () => true,
    });
  }

  state(): ReturnType<Reader["state"]> {
    return this.#endpoint?.state() ?? "closed";
  }

  shown(): ReaderSignal | undefined {
    return this.#shown;
  }

  unplug(unplugged: boolean): void {
    this.#endpoint?.unplug(unplugged);
  }

  tamper(opened: boolean): void {
    this.#tamper = opened;
    this.#report();
  }

  async close(): Promise<void> {
    this.#held?.over("silent");
    await this.#endpoint?.close();
  }

  async tap(what: CardTap | PhoneTap): Promise<TapOutcome> {
    if (this.#held !== undefined) return "wait";
    this.#presentations += 1;
    const presentation = this.#presentations;
    const ended = Promise.withResolvers<TapOutcome>();
    const { clock, tapMsMax = TAP_MS_MAX } = this.#options;
    const timer = clock.after(tapMsMax, () => ended.resolve("silent"));
    const chip: CardChip = { value: "idle" };
    this.#held = { presentation, what, parts: new ReaderParts(), over: ended.resolve, chip };
    const uid = new Uint8Array(READER_UID_BYTES_MAX);
    const number = what.kind === "card" ? what.uid : new Uint8Array();
    uid.set(number);
    const presented: ReaderMessage = {
      type: "presented",
      presentation,
      kind: what.kind,
      keyed: what.kind === "card" && what.key !== undefined,
      uidBytes: number.length,
      uid,
    };
    const again = this.#repeat(presented);
    const outcome = this.#send(presented) ? await ended.promise : "no_car";
    timer.cancel();
    again.abort();
    this.#held = undefined;
    this.#send({ type: "gone", presentation });
    return outcome;
  }

  /** A module that did not hear of it, or has begun a new session since, hears it again. */
  #repeat(presented: ReaderMessage): AbortController {
    const ending = new AbortController();
    const later = (): void => {
      const timer = this.#options.clock.after(REPEAT_MS, () => {
        this.#send(presented);
        later();
      });
      ending.signal.addEventListener("abort", timer.cancel, { once: true });
    };
    later();
    return ending;
  }

  #send(message: ReaderMessage): boolean {
    return this.#endpoint?.send(message) ?? false;
  }

  #report(): void {
    const tamper = this.#tamper ? "opened" : "intact";
    this.#send({ type: "readerReport", tamper, keypad: true, resetCount: 0 });
  }

  #take(message: LinkStep<ReaderMessage>["messages"][number]): void {
    switch (message.type) {
      case "readerStatusRequest":
        this.#report();
        break;
      case "exchange":
        this.#exchange(message);
        break;
      case "askPin":
        this.#pin(message);
        break;
      case "show":
        this.#show(message);
        break;
      default: // Acknowledgements, and what only a reader says.
    }
  }

  #exchange(message: ReaderMessageOf<"exchange">): void {
    const held = this.#held;
    const { presentation, exchange } = message;
    const outcome = held?.presentation === presentation ? "ok" : "removed";
    if (held === undefined || outcome === "removed") {
      const nothing = { exchange, part: 0, last: true, data: new Uint8Array() };
      this.#send({ type: "exchanged", presentation, outcome: "removed", ...nothing });
      return;
    }
    const whole = held.parts.take(message);
    if (whole === undefined) return;
    for (const part of readerParts(this.#answer(held, whole)))
      this.#send({ type: "exchanged", presentation, exchange, outcome, ...part });
  }

  #answer(held: Held, asked: Uint8Array): Uint8Array {
    const { what } = held;
    if (what.kind === "phone") {
      return answerChallenge(signingKey(what.seed), asked, what.action, what.carried);
    }
    const rndB = this.#options.random.bytes(CHALLENGE_BYTES);
    // A card without a key knows no such command.
    if (what.key === undefined) return Uint8Array.of(0x1c);
    const { chip, answer } = stepCardChip(held.chip, asked, what.key, rndB);
    held.chip = chip;
    return answer;
  }

  #pin({ presentation, nonce }: ReaderMessageOf<"askPin">): void {
    const held = this.#held;
    if (held?.presentation !== presentation || held.what.kind !== "card") return;
    const sealed = sealPin(this.#options.pairingKey, nonce, held.what.pin);
    this.#send({ type: "pinEntered", presentation, sealed });
  }

  #show({ presentation, signal }: ReaderMessageOf<"show">): void {
    this.#shown = signal;
    if (this.#held?.presentation === presentation) this.#held.over(signal);
  }
}
