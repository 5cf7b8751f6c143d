/**
 * The reader at the other end of the reader link: keeps a session up over ever new connections, says what is held to
 * it, and carries bytes to and from that. One exchange at a time; whatever is taken away, or silent, ends what waits.
 */
import {
  type Clock,
  type Line,
  type LineState,
  type Log,
  openPin,
  PairedLine,
  type Random,
  READER_NONCE_BYTES,
  ReaderLinkSession,
  type ReaderLinkStep,
  type ReaderMessage,
  type ReaderMessageOf,
  ReaderParts,
  type ReaderSignal,
  readerParts,
  type Timer,
} from "@kerbside/protocol";

/** Something that is held to the reader. */
export type Presentation =
  | {
      readonly id: number;
      readonly kind: "card";
      readonly uid: Uint8Array;
      /** It says that it can authenticate; that it does is to be seen. */
      readonly keyed: boolean;
    }
  | { readonly id: number; readonly kind: "phone" };

export type ReaderEvents = {
  readonly presented: (presentation: Presentation) => void;
  /** It was taken away. */
  readonly gone: (presentation: number) => void;
  readonly link: (state: LineState) => void;
  readonly tamper: (opened: boolean) => void;
};

export type ReaderDriverOptions = {
  readonly line: Line;
  readonly pairingKey: Uint8Array;
  /** 8 bytes that name the module to the reader. */
  readonly moduleId: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: ReaderEvents;
};

/** A card answers within milliseconds, a phone within a few radio frames. */
export const EXCHANGE_MS_MAX = 3000;
/** How long somebody has to enter a PIN. */
export const PIN_MS_MAX = 20_000;
const EXCHANGE_NUMBERS = 256;

type Waiting =
  | {
      readonly value: "exchange";
      readonly presentation: number;
      readonly exchange: number;
      readonly parts: ReaderParts;
      readonly timer: Timer;
      readonly resolve: (data: Uint8Array | undefined) => void;
    }
  | {
      readonly value: "pin";
      readonly presentation: number;
      readonly nonce: Uint8Array;
      readonly timer: Timer;
      readonly resolve: (pin: string | undefined) => void;
    };

export class ReaderDriver {
  readonly #options: ReaderDriverOptions;
  readonly #line: PairedLine<ReaderMessage>;
  #waiting: Waiting | undefined;
  #exchange = 0;
  #presentation: number | undefined;
  #tamper: boolean | undefined;

  /** Throws ProtocolError `malformed` unless the pairing key has 32 bytes. */
  constructor(options: ReaderDriverOptions) {
    this.#options = options;
    const { pairingKey, moduleId, random, line, clock, log } = options;
    const session = new ReaderLinkSession({ role: "module", pairingKey, id: moduleId, random });
    this.#line = new PairedLine({
      ...{ name: "reader", line, session, clock, log },
      onMessage: (message) => this.#take(message),
      onState: (state) => this.#stateChanged(state),
    });
  }

  /** Begins to look for the reader; never gives up, never throws. */
  start(): void {
    this.#line.start();
  }

  stop(): void {
    this.#line.rest();
    this.#giveUp();
  }

  /** After a suspend that the line slept through: it begins anew, which is no fault. Who is there is presented anew. */
  wake(): void {
    this.stop();
    this.start();
  }

  /** Hands bytes to what is held there; undefined where it is gone, silent or busy. Never rejects. */
  async exchange(presentation: number, data: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#waiting !== undefined) return undefined;
    this.#exchange = (this.#exchange + 1) % EXCHANGE_NUMBERS;
    const exchange = this.#exchange;
    for (const part of readerParts(data)) {
      if (!this.#send({ type: "exchange", presentation, exchange, ...part })) return undefined;
    }
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(EXCHANGE_MS_MAX, () => this.#giveUp());
      const parts = new ReaderParts();
      this.#waiting = { value: "exchange", presentation, exchange, parts, timer, resolve };
    });
  }

  /** Asks for a PIN at the reader's keys; undefined where none comes. Never rejects. */
  async askPin(presentation: number): Promise<string | undefined> {
    const nonce = this.#options.random.bytes(READER_NONCE_BYTES);
    const isFree = this.#waiting === undefined;
    if (!isFree || !this.#send({ type: "askPin", presentation, nonce })) return undefined;
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(PIN_MS_MAX, () => this.#giveUp());
      this.#waiting = { value: "pin", presentation, nonce, timer, resolve };
    });
  }

  /** Shows what became of it, where there is still somebody to see it. */
  show(presentation: number, signal: ReaderSignal): void {
    this.#send({ type: "show", presentation, signal });
  }

  #send(message: Exclude<ReaderMessage, ReaderMessageOf<"readerReport">>): boolean {
    return this.#line.send(message);
  }

  /** Ends what waits with nothing. */
  #giveUp(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.timer.cancel();
    waiting?.resolve(undefined);
  }

  #stateChanged(state: LineState): void {
    // Who was there is to be presented anew.
    if (this.#presentation !== undefined) this.#options.events.gone(this.#presentation);
    this.#presentation = undefined;
    this.#giveUp();
    this.#options.events.link(state);
    if (state === "up") this.#send({ type: "readerStatusRequest" });
  }

  #take(message: ReaderLinkStep["messages"][number]): void {
    switch (message.type) {
      case "readerReport":
        this.#report(message);
        break;
      case "presented":
        this.#presented(message);
        break;
      case "gone":
        if (this.#waiting?.presentation === message.presentation) this.#giveUp();
        this.#options.events.gone(message.presentation);
        break;
      case "exchanged":
        this.#exchanged(message);
        break;
      case "pinEntered":
        this.#pin(message);
        break;
      default: // Acknowledgements say nothing of what comes of it.
    }
  }

  #report({ tamper }: ReaderMessageOf<"readerReport">): void {
    const opened = tamper === "opened";
    if (tamper === "unknown" || opened === (this.#tamper ?? false)) return;
    this.#tamper = opened;
    this.#options.events.tamper(opened);
  }

  #presented(message: ReaderMessageOf<"presented">): void {
    const { presentation: id, kind, keyed, uidBytes, uid } = message;
    // A reader that is not answered says it again; who is being served already is not served twice.
    if (id === this.#presentation) return;
    this.#presentation = id;
    // What was there before has been taken away.
    this.#giveUp();
    const presentation: Presentation =
      kind === "phone" ? { id, kind } : { id, kind, keyed, uid: uid.slice(0, uidBytes) };
    this.#options.events.presented(presentation);
  }

  #exchanged(message: ReaderMessageOf<"exchanged">): void {
    const waiting = this.#waiting;
    if (waiting?.value !== "exchange" || waiting.exchange !== message.exchange) return;
    if (waiting.presentation !== message.presentation) return;
    if (message.outcome !== "ok") {
      this.#giveUp();
      return;
    }
    const whole = waiting.parts.take(message);
    if (whole === undefined) return;
    this.#waiting = undefined;
    waiting.timer.cancel();
    waiting.resolve(whole);
  }

  #pin({ presentation, sealed }: ReaderMessageOf<"pinEntered">): void {
    const waiting = this.#waiting;
    if (waiting?.value !== "pin" || waiting.presentation !== presentation) return;
    this.#waiting = undefined;
    waiting.timer.cancel();
    waiting.resolve(openPin(this.#options.pairingKey, waiting.nonce, sealed));
  }
}
