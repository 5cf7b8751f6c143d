/**
 * A process of its own that does nothing but move frames between one SocketCAN interface and the agent: nothing
 * slow can make it lose frames, and when the native code ends the process, it is not the agent's. It ends itself
 * whenever its channel is of no more use (a channel can be neither closed nor started twice); the agent then
 * starts another. Speaks `wire.ts` over file descriptor 3. Arguments: the interface, and its filters as JSON.
 */
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { type CanFrame, CLASSIC_BYTES_MAX } from "../frame.ts";
import { type BusState, frameProblem } from "./bus.ts";
import type { CanFilter } from "./filters.ts";
import { ERROR_MASK_ALL, stateOfErrorFrame } from "./socketcan-errors.ts";
import {
  encodeFrameRecord,
  encodeRefusedRecord,
  encodeStateRecord,
  GREETING,
  WireDecoder,
} from "./wire.ts";

type Message = {
  readonly id: number;
  readonly ext?: boolean;
  readonly rtr?: boolean;
  readonly err?: boolean;
  readonly data: Buffer;
  readonly ts_sec?: number;
  readonly ts_usec?: number;
};
type Channel = {
  addListener(event: "onMessage", run: (message: Message) => void): void;
  addListener(event: "onStopped", run: () => void): void;
  start(): void;
  send(message: Message): number;
  sendFD(message: Message): number;
  setRxFilters(filters: readonly CanFilter[]): void;
  setErrorFilters(mask: number): void;
};

/** The agent's end of the pipe; a socket, because writing to it never blocks. */
const AGENT_FD = 3;
const WATCH_MS = 200;
/** How long a frame may wait for others. Nothing in the agent is so urgent; ISO-TP's shortest wait is 50 ms. */
const FLUSH_MS = 20;
/** Bytes that may wait for the agent: 3 s of a full 500 kbit/s bus. Then frames are dropped, and counted. */
const QUEUE_BYTES_MAX = 512 * 1024;
/** A frame that waited longer than this to be sent is not what anybody wants any more. */
const SEND_AGE_MS_MAX = 100;
/** Receiving nothing while the interface counts this many frames is a stall of the channel. */
const STALL_FRAMES = 200;
const STALL_MS = 5000;
const IFF_UP = 1;

type Interface = { readonly index: number; readonly up: boolean };

function readInterface(name: string): Interface | undefined {
  try {
    const up = (Number.parseInt(readFact(name, "flags"), 16) & IFF_UP) !== 0;
    return { index: Number(readFact(name, "ifindex")), up };
  } catch {
    // It is not there, or went while it was read.
    return undefined;
  }
}

/** Throws where the interface is not there. */
function readFact(name: string, file: string): string {
  return readFileSync(`/sys/class/net/${name}/${file}`, "utf8");
}

class Receiver {
  readonly #name: string;
  readonly #filters: readonly CanFilter[];
  readonly #agent: Socket;
  readonly #decoder: WireDecoder;
  #channel: { readonly raw: Channel; readonly index: number } | undefined;
  #state: BusState | undefined;
  #sequence = 0;
  #pending: Uint8Array[] = [];
  /** For the stall: since when it is looked whether frames come, and what the interface had counted by then. */
  #quiet = { sinceMs: 0, counted: 0 };
  #heard = true;

  constructor(name: string, filters: readonly CanFilter[]) {
    this.#name = name;
    this.#filters = filters;
    this.#decoder = new WireDecoder(name);
    this.#agent = new Socket({ fd: AGENT_FD });
    this.#agent.write(GREETING);
    this.#agent.on("data", (chunk) => this.#fromAgent(chunk));
    this.#agent.on("error", () => process.exit(0));
    this.#agent.on("close", () => process.exit(0));
  }

  async run(): Promise<void> {
    await this.#watch();
    setInterval(() => {
      this.#watch().catch((error: unknown) => this.#end(String(error)));
    }, WATCH_MS);
  }

  #become(state: BusState, reason: string): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#flush();
    this.#agent.write(encodeStateRecord(state, reason));
  }

  /** Says why and ends: what must go on goes on in the next process. */
  #end(reason: string): void {
    this.#become("down", reason);
    this.#agent.end(() => process.exit(0));
  }

  async #watch(): Promise<void> {
    const seen = readInterface(this.#name);
    const channel = this.#channel;
    if (channel === undefined) {
      if (seen === undefined) this.#become("down", "there is no such interface");
      else if (!seen.up) this.#become("down", "the interface is down");
      else await this.#open(seen);
      return;
    }
    if (seen === undefined) this.#end("the interface was deleted");
    else if (seen.index !== channel.index) this.#end("the interface was made anew");
    else if (!seen.up) this.#become("down", "the interface is down");
    else {
      if (this.#state === "down") this.#become("up", "the interface is up again");
      this.#checkStall();
    }
  }

  async #open(seen: Interface): Promise<void> {
    const { createRawChannelWithOptions } = await import("socketcan");
    const raw: Channel = createRawChannelWithOptions(this.#name, {
      timestamps: true,
      non_block_send: true,
    });
    if (this.#filters.length > 0) raw.setRxFilters(this.#filters);
    raw.setErrorFilters(ERROR_MASK_ALL);
    raw.addListener("onMessage", (message) => this.#receive(message));
    raw.addListener("onStopped", () => this.#end("the channel stopped"));
    raw.start();
    this.#channel = { raw, index: seen.index };
    this.#become("up", "listening");
  }

  /** Once in STALL_MS: reading what the kernel counts is not free. */
  #checkStall(): void {
    const nowMs = performance.now();
    if (nowMs - this.#quiet.sinceMs < STALL_MS) return;
    const counted = Number(readFact(this.#name, "statistics/rx_packets"));
    if (!this.#heard && counted - this.#quiet.counted > STALL_FRAMES) {
      // With filters it may be that nothing passes them: a new channel then costs little.
      this.#end("the channel has stalled");
    }
    this.#quiet = { sinceMs: nowMs, counted };
    this.#heard = false;
  }

  #receive(message: Message): void {
    const { id, ext = false, rtr = false, err = false, data, ts_sec, ts_usec = 0 } = message;
    this.#heard = true;
    if (err) {
      const told = stateOfErrorFrame(id, data);
      if (told !== undefined) this.#become(told.state, told.reason);
    }
    const frame: CanFrame = {
      timeUs: ts_sec === undefined ? null : ts_sec * 1e6 + ts_usec,
      bus: this.#name,
      id,
      ext,
      kind: err ? "error" : rtr ? "remote" : "data",
      fd: data.length > CLASSIC_BYTES_MAX,
      data: rtr ? new Uint8Array(0) : data,
    };
    const sequence = this.#sequence;
    this.#sequence += 1;
    if (this.#agent.writableLength > QUEUE_BYTES_MAX) return;
    if (this.#pending.length === 0) setTimeout(() => this.#flush(), FLUSH_MS);
    this.#pending.push(encodeFrameRecord(frame, sequence));
  }

  /** One write for all that came in FLUSH_MS: handing frames over one by one costs more than receiving them. */
  #flush(): void {
    if (this.#pending.length === 0) return;
    const records = this.#pending;
    this.#pending = [];
    this.#agent.write(Buffer.concat(records));
  }

  #fromAgent(chunk: Uint8Array): void {
    for (const record of this.#decoder.push(chunk)) {
      if (record.type !== "frame") continue;
      const problem = this.#send(record.frame);
      if (problem !== undefined) this.#agent.write(encodeRefusedRecord(problem));
    }
  }

  /** Why it was not sent. The time of a frame from the agent is when it was handed over, on the monotonic clock. */
  #send(frame: CanFrame): string | undefined {
    const { id, ext, kind, fd, data, timeUs } = frame;
    const ageMs = Number(process.hrtime.bigint() / 1000n - BigInt(Math.round(timeUs ?? 0))) / 1000;
    const problem = frameProblem(frame);
    if (problem !== undefined) return problem;
    if (this.#channel === undefined || (this.#state !== "up" && this.#state !== "passive")) {
      return `the bus is ${this.#state ?? "down"}`;
    }
    if (!(ageMs <= SEND_AGE_MS_MAX)) return `${Math.round(ageMs)} ms late`;
    const message = { id, ext, rtr: kind === "remote", data: Buffer.from(data) };
    const { raw } = this.#channel;
    const taken = fd ? raw.sendFD(message) : raw.send(message);
    return taken > 0 ? undefined : "the interface did not take it";
  }
}

function filtersOf(json: string): CanFilter[] {
  const list: unknown = JSON.parse(json);
  const isFilter = (item: unknown): item is CanFilter =>
    typeof item === "object" &&
    item !== null &&
    "id" in item &&
    typeof item.id === "number" &&
    "mask" in item &&
    typeof item.mask === "number";
  return Array.isArray(list) ? list.filter(isFilter) : [];
}

const [name = "", filters = "[]"] = process.argv.slice(2);
await new Receiver(name, filtersOf(filters)).run();
