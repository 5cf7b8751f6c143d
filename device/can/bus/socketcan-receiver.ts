/**
 * What the receiver's process does: moves frames between one SocketCAN interface and the agent, watches the interface,
 * and says when its channel is of no more use. Knows neither the native module nor the kernel's files but by the two
 * small interfaces below.
 */
import type { Duplex } from "node:stream";
import { CLASSIC_BYTES_MAX } from "../frame.ts";
import { type BusState, frameProblem } from "./bus.ts";
import type { CanFilter } from "./filters.ts";
import { stateOfErrorFrame } from "./socketcan-errors.ts";
import {
  encodeRefusedRecord,
  encodeStateRecord,
  GREETING,
  RECORD_BYTES_MAX,
  WireDecoder,
  type WireFrame,
  writeFrameRecord,
} from "./wire.ts";

/** As the module `socketcan` has it. Flags are absent when false. */
export type Message = {
  readonly id: number;
  readonly ext?: boolean;
  readonly rtr?: boolean;
  readonly err?: boolean;
  readonly data: Buffer;
};

export type Channel = {
  /** Whether the interface took it. */
  readonly send: (message: Message, fd: boolean) => boolean;
};

/** Opens and starts a channel, which can be neither closed nor started twice. */
export type OpenChannel = (
  name: string,
  filters: readonly CanFilter[],
  heard: { readonly onMessage: (message: Message) => void; readonly onStopped: () => void },
) => Promise<Channel>;

/** What the kernel says of an interface. */
export type Interfaces = {
  readonly look: (name: string) => { readonly index: number; readonly up: boolean } | undefined;
  /** Frames that passed one of these filters since they were set, this process's or another's; of none, all frames. */
  readonly delivered: (name: string, filters: readonly CanFilter[]) => number;
};

export type ReceiverOptions = {
  readonly name: string;
  readonly filters: readonly CanFilter[];
  readonly agent: Duplex;
  readonly interfaces: Interfaces;
  readonly open: OpenChannel;
  readonly monotonicUs: () => number;
  /** Called once, when the next receiver must take over; what was to be said has been written. */
  readonly onEnd: () => void;
};

/** How often `watch` is to be called. */
export const WATCH_MS = 200;
/** How long a frame may wait for others. Nothing in the agent is so urgent; ISO-TP's shortest wait is 50 ms. */
const FLUSH_MS = 20;
/** Bytes handed over at once; more frames than that do not wait. */
const BATCH_BYTES = 16 * 1024;
/** Bytes that may wait for the agent: 3 s of a full 500 kbit/s bus. Then frames are dropped, and counted. */
const QUEUE_BYTES_MAX = 512 * 1024;
/** A frame that waited longer than this to be sent is not what anybody wants any more. */
const SEND_AGE_MS_MAX = 100;
/** Hearing nothing while the kernel delivers this many frames is a stall of the channel. */
const STALL_FRAMES = 200;
const STALL_MS = 3000;

type Open = { readonly channel: Channel; readonly index: number };

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #decoder: WireDecoder;
  readonly #batch = new Uint8Array(BATCH_BYTES);
  readonly #view = new DataView(this.#batch.buffer);
  #filled = 0;
  #sequence = 0;
  #open: Open | undefined;
  #state: BusState | undefined;
  #ended = false;
  /** The moment of all that is read from the socket at one go; 0: to be asked for. */
  #momentUs = 0;
  #heard = true;
  /** Since when nothing was heard, and what the kernel had delivered by then. */
  #quiet: { readonly sinceUs: number; readonly delivered: number } | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#decoder = new WireDecoder(options.name);
    options.agent.write(GREETING);
    options.agent.on("data", (chunk: Uint8Array) => this.#fromAgent(chunk));
  }

  /** Looks at the interface, opens it when it can be opened, ends when it is another. Rejects as `open` does. */
  async watch(): Promise<void> {
    const { interfaces, name } = this.#options;
    if (this.#ended) return;
    const seen = interfaces.look(name);
    const open = this.#open;
    if (open === undefined) {
      if (seen === undefined) this.#become("down", "there is no such interface");
      else if (!seen.up) this.#become("down", "the interface is down");
      else await this.#start(seen.index);
      return;
    }
    if (seen === undefined) this.end("the interface was deleted");
    else if (seen.index !== open.index) this.end("the interface was made anew");
    else if (!seen.up) this.#become("down", "the interface is down");
    else {
      if (this.#state === "down") this.#become("up", "the interface is up again");
      this.#checkStall();
    }
  }

  /** Says why and ends: what must go on goes on in the next process. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#become("down", reason);
    this.#ended = true;
    this.#options.onEnd();
  }

  #become(state: BusState, reason: string): void {
    if (state === this.#state || this.#ended) return;
    this.#state = state;
    this.#flush();
    this.#options.agent.write(encodeStateRecord(state, reason));
  }

  async #start(index: number): Promise<void> {
    const { name, filters, open } = this.#options;
    const channel = await open(name, filters, {
      onMessage: (message) => this.#receive(message),
      onStopped: () => this.end("the channel stopped"),
    });
    this.#open = { channel, index };
    this.#become("up", "listening");
  }

  /** Once in STALL_MS of silence: what the kernel has delivered is not free to read. */
  #checkStall(): void {
    const nowUs = this.#options.monotonicUs();
    if (this.#heard) {
      this.#heard = false;
      this.#quiet = undefined;
      return;
    }
    if (this.#quiet !== undefined && nowUs - this.#quiet.sinceUs < STALL_MS * 1000) return;
    const { interfaces, name, filters } = this.#options;
    const delivered = interfaces.delivered(name, filters);
    const before = this.#quiet?.delivered ?? delivered;
    this.#quiet = { sinceUs: nowUs, delivered };
    if (delivered - before > STALL_FRAMES) this.end("the channel has stalled");
  }

  #receive(message: Message): void {
    const { id, ext = false, rtr = false, err = false, data } = message;
    this.#heard = true;
    const told = err ? stateOfErrorFrame(id, data) : undefined;
    if (told !== undefined) this.#become(told.state, told.reason);
    // Not every controller says that it was started again; one that hears is no more off the bus.
    else if (!err && this.#state === "busOff") this.#become("up", "frames came again");
    const sequence = this.#sequence;
    this.#sequence += 1;
    if (this.#options.agent.writableLength > QUEUE_BYTES_MAX) return;
    if (this.#filled === 0) setTimeout(() => this.#flush(), FLUSH_MS);
    const kind = err ? "error" : rtr ? "remote" : "data";
    const fd = data.length > CLASSIC_BYTES_MAX;
    const frame = {
      timeUs: this.#moment(),
      id,
      ext,
      kind,
      fd,
      data: rtr ? NO_DATA : data,
    } as const;
    this.#filled = writeFrameRecord(this.#batch, this.#view, this.#filled, frame, sequence);
    if (this.#filled + RECORD_BYTES_MAX > BATCH_BYTES) this.#flush();
  }

  /** Frames read at one go came within less than a millisecond or two; asking the clock for each is not free. */
  #moment(): number {
    if (this.#momentUs === 0) {
      this.#momentUs = this.#options.monotonicUs();
      setImmediate(() => {
        this.#momentUs = 0;
      });
    }
    return this.#momentUs;
  }

  /** One write for all that came in FLUSH_MS: handing frames over one by one costs more than receiving them. */
  #flush(): void {
    if (this.#filled === 0) return;
    this.#options.agent.write(Buffer.from(this.#batch.subarray(0, this.#filled)));
    this.#filled = 0;
  }

  #fromAgent(chunk: Uint8Array): void {
    for (const record of this.#decoder.push(chunk)) {
      if (record.type !== "frame") continue;
      const problem = this.#send(record.frame);
      if (problem !== undefined) this.#options.agent.write(encodeRefusedRecord(problem));
    }
  }

  /** Why it was not sent. The time of a frame from the agent is when it was handed over. */
  #send(frame: WireFrame): string | undefined {
    const { id, ext, kind, fd, data, timeUs } = frame;
    const problem = frameProblem(frame);
    if (problem !== undefined) return problem;
    if (this.#open === undefined || (this.#state !== "up" && this.#state !== "passive")) {
      return `the bus is ${this.#state ?? "down"}`;
    }
    const ageMs = (this.#options.monotonicUs() - (timeUs ?? 0)) / 1000;
    if (!(ageMs <= SEND_AGE_MS_MAX)) return `${Math.round(ageMs)} ms late`;
    const message = { id, ext, rtr: kind === "remote", data: Buffer.from(data) };
    return this.#open.channel.send(message, fd) ? undefined : "the interface did not take it";
  }
}

const NO_DATA = new Uint8Array(0);
