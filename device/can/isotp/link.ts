/** ISO-TP between two identifiers of a bus: whole messages in, whole messages out. */
import type { Clock, Timer } from "@kerbside/protocol";
import type { OutgoingFrame, SendOutcome } from "../bus/bus.ts";
import type { CanFrame } from "../frame.ts";
import { type Framing, MESSAGE_BYTES_MAX, parseFrame } from "./frames.ts";
import {
  beginSend,
  type FlowOffer,
  flowForSend,
  frameForReceive,
  RECEIVE_IDLE,
  type ReceiveError,
  type ReceiveStep,
  receiveDueMs,
  SEND_IDLE,
  type SendError,
  type SendStep,
  sendDueMs,
  tickReceive,
  tickSend,
} from "./transfer.ts";

export type IsoTpOptions = {
  /** Where we send, and where we listen. */
  readonly txId: number;
  readonly rxId: number;
  readonly ext: boolean;
  /** CAN FD, with frames of up to 64 bytes. */
  readonly fd?: boolean;
  /** Default 0xCC, which needs the fewest stuff bits. */
  readonly padding?: number;
  /** Default: the whole message at once, without pauses. */
  readonly offer?: FlowOffer;
  readonly send: (frame: OutgoingFrame) => SendOutcome;
  readonly clock: Clock;
  readonly onMessage: (message: Uint8Array) => void;
  /** A message was begun and lost. */
  readonly onError?: (error: ReceiveError) => void;
};

export class IsoTpError extends Error {
  override readonly name = "IsoTpError";
  readonly reason: SendError | "bus" | "busy" | "length" | "closed";

  constructor(reason: IsoTpError["reason"], detail: string) {
    super(`ISO-TP: ${detail}`);
    this.reason = reason;
  }
}

export type IsoTpLink = {
  /**
   * Resolves when the last frame has been handed to the bus. Rejects with IsoTpError, also where another message
   * is being sent: nothing waits in a queue.
   */
  readonly send: (message: Uint8Array) => Promise<void>;
  /** Every frame of the bus may be given to it. */
  readonly take: (frame: CanFrame) => void;
  readonly close: () => void;
};

export function createIsoTpLink(options: IsoTpOptions): IsoTpLink {
  return new Link(options);
}

type Waiting = {
  readonly resolve: () => void;
  readonly reject: (error: IsoTpError) => void;
};

class Link implements IsoTpLink {
  readonly #options: IsoTpOptions;
  readonly #framing: Framing;
  readonly #offer: FlowOffer;
  #sending: SendStep["state"] = SEND_IDLE;
  #receiving: ReceiveStep["state"] = RECEIVE_IDLE;
  #waiting: Waiting | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: IsoTpOptions) {
    this.#options = options;
    this.#framing = { frameBytes: options.fd === true ? 64 : 8, padding: options.padding ?? 0xcc };
    this.#offer = options.offer ?? { blockSize: 0, separationMs: 0 };
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new IsoTpError("closed", "the link is closed"));
    if (this.#waiting !== undefined) {
      return Promise.reject(new IsoTpError("busy", "another message is being sent"));
    }
    if (message.length === 0 || message.length > MESSAGE_BYTES_MAX) {
      const detail = `${message.length} bytes: expected 1 to ${MESSAGE_BYTES_MAX}`;
      return Promise.reject(new IsoTpError("length", detail));
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#sent(beginSend(message.slice(), this.#options.clock.bootMs(), this.#framing));
      this.#arm();
    });
  }

  take({ id, ext, kind, data }: CanFrame): void {
    const { rxId, ext: ours, clock } = this.#options;
    if (this.#closed || id !== rxId || ext !== ours || kind !== "data") return;
    const frame = parseFrame(data);
    if (frame === undefined) return;
    const nowMs = clock.bootMs();
    if (frame.type === "flow") this.#sent(flowForSend(this.#sending, frame, nowMs));
    else {
      this.#received(frameForReceive(this.#receiving, frame, nowMs, this.#framing, this.#offer));
    }
    this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#sending = SEND_IDLE;
    this.#receiving = RECEIVE_IDLE;
    this.#settle(new IsoTpError("closed", "the link was closed"));
  }

  /** Does all that is due, then sets the timer for what is due next. */
  #run(): void {
    const nowMs = this.#options.clock.bootMs();
    while (!this.#closed && sendDueMs(this.#sending) <= nowMs) {
      this.#sent(tickSend(this.#sending, nowMs, this.#framing));
    }
    if (receiveDueMs(this.#receiving) <= nowMs) {
      this.#received(tickReceive(this.#receiving, nowMs));
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const dueMs = Math.min(sendDueMs(this.#sending), receiveDueMs(this.#receiving));
    if (dueMs === Number.POSITIVE_INFINITY || this.#closed) return;
    const { clock } = this.#options;
    this.#timer = clock.after(Math.max(0, dueMs - clock.bootMs()), () => this.#run());
  }

  #sent({ state, frames, result }: SendStep): void {
    this.#sending = state;
    const problem = this.#put(frames);
    if (problem !== undefined) {
      this.#sending = SEND_IDLE;
      this.#settle(new IsoTpError("bus", problem));
    } else if (result === "done") this.#settle(undefined);
    else if (result !== undefined) this.#settle(new IsoTpError(result, result));
  }

  #received({ state, frames, message, error }: ReceiveStep): void {
    this.#receiving = state;
    if (this.#put(frames) !== undefined) this.#receiving = RECEIVE_IDLE;
    if (error !== undefined) this.#options.onError?.(error);
    if (message !== undefined) this.#options.onMessage(message);
  }

  #put(frames: readonly Uint8Array[]): string | undefined {
    const { txId, ext, fd = false } = this.#options;
    for (const data of frames) {
      const outcome = this.#options.send({ id: txId, ext, fd, data });
      if (!outcome.sent) return outcome.reason;
    }
    return undefined;
  }

  #settle(error: IsoTpError | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(error);
  }
}
