/**
 * Stands between a car's TLS socket and aedes and lets through one whole packet after the other: only what the
 * scan of headers allows, nothing behind CONNECT before the car is accepted, and no PUBLISH above the bounds of what is
 * under way or the rate of this car. What must wait stays in the socket, so that TCP slows the car down: nothing is
 * dropped.
 */
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Clock, Timer } from "@kerbside/protocol";
import type { BrokerLimits } from "./limits.ts";
import { type PacketHeader, scanHeader } from "./packet-scan.ts";
import type { CarRates } from "./rate.ts";
import { type Refusal, RefusedError } from "./refusals.ts";

export type GuardOptions = {
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  /** Called once at most, before the connection ends for it. */
  readonly refused: (refusal: Refusal) => void;
};

/** What one step came to: go on, wait for something to change, or wait for more bytes. */
type Step = "moved" | "stuck" | "hungry";

const NOTHING: Buffer = Buffer.alloc(0);

/** Why the pump stands still: not at all, until the car is accepted, until a timer, or until something is settled. */
type Hold =
  | { readonly value: "none" }
  | { readonly value: "unaccepted" }
  | { readonly value: "owing"; readonly timer: Timer };

export class PacketGuard extends Duplex {
  readonly socket: TLSSocket;
  readonly #options: GuardOptions;
  #hold: Hold = { value: "none" };
  #first = true;
  #accepted = false;
  #reported = false;
  /** Bytes of the socket that were not looked at yet: at most what it hands over at once. */
  #chunk: Buffer = NOTHING;
  /** A header that is not complete, or complete and waiting. */
  #header: readonly number[] = [];
  #bodyLeft = 0;
  #wanted = false;
  /** The car sends no more; what it sent is still passed on. */
  #ended = false;
  #inflight: { messages: number; bytes: number } = { messages: 0, bytes: 0 };
  #rates: CarRates | undefined;

  constructor(socket: TLSSocket, options: GuardOptions) {
    super({ allowHalfOpen: false });
    this.socket = socket;
    this.#options = options;
    socket.on("data", (chunk: Buffer) => {
      this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk]);
      this.#pump();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#pump();
    });
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  /** The car is who it says: what stands behind its CONNECT may come, at the rates of this car. */
  accept(rates: CarRates): void {
    this.#accepted = true;
    this.#rates = rates;
    if (this.#hold.value === "unaccepted") this.#hold = { value: "none" };
    this.emit("accepted");
    this.#pump();
  }

  get accepted(): boolean {
    return this.#accepted;
  }

  /** A PUBLISH whose remaining length was `bytes` has been answered; until then it counts as under way. */
  settle(bytes: number): void {
    this.#inflight.messages -= 1;
    this.#inflight.bytes -= bytes;
    this.#pump();
  }

  /** Tells why the connection ends, once: the first reason is the cause of the others. */
  report(refusal: Refusal): void {
    if (this.#reported || this.destroyed) return;
    this.#reported = true;
    this.#options.refused(refusal);
  }

  refuse(refusal: Refusal): void {
    this.report(refusal);
    this.destroy(new RefusedError(refusal));
  }

  override _read(): void {
    this.#wanted = true;
    this.#pump();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.socket.write(chunk, (error) => done(error ?? undefined));
  }

  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    done: (error?: Error) => void,
  ): void {
    const whole = Buffer.concat(chunks.map(({ chunk }) => chunk));
    this.socket.write(whole, (error) => done(error ?? undefined));
  }

  override _final(done: (error?: Error) => void): void {
    this.socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#hold.value === "owing") this.#hold.timer.cancel();
    this.#hold = { value: "none" };
    this.#chunk = NOTHING;
    this.socket.destroy();
    done(error);
  }

  #pump(): void {
    let step: Step = "moved";
    while (step === "moved" && !this.destroyed) {
      step = this.#wanted && this.#hold.value === "none" ? this.#step() : "stuck";
    }
    if (this.destroyed) return;
    if (step !== "hungry") this.socket.pause();
    else if (this.#ended) this.push(null);
    else this.socket.resume();
  }

  /** Moves a header or a piece of a body on. */
  #step(): Step {
    if (this.#bodyLeft > 0) return this.#body();
    // A header stays in the chunk until its packet may come, and is then passed on with it.
    const byte = this.#chunk[this.#header.length];
    if (byte === undefined) return "hungry";
    const bytes = [...this.#header, byte];
    const step = scanHeader(bytes, this.#first);
    switch (step.value) {
      case "more":
        this.#header = bytes;
        return "moved";
      case "refused":
        this.refuse(step.refusal);
        return "stuck";
      case "header":
        return this.#enter(step.header);
    }
  }

  #enter(header: PacketHeader): Step {
    if (header.publish) {
      if (this.#full()) return "stuck";
      this.#inflight.messages += 1;
      this.#inflight.bytes += header.length;
    }
    const size = header.bytes.length + header.length;
    // CONNECT is charged to nobody yet.
    const waitMs = this.#rates?.packet(size, this.#options.clock.bootMs()) ?? 0;
    this.#first = false;
    this.#header = [];
    this.#bodyLeft = size;
    if (waitMs > 0) {
      const timer = this.#options.clock.after(waitMs, () => {
        this.#hold = { value: "none" };
        this.#pump();
      });
      this.#hold = { value: "owing", timer };
    }
    return "moved";
  }

  #body(): Step {
    if (this.#chunk.length === 0) return "hungry";
    const piece = this.#chunk.subarray(0, this.#bodyLeft);
    this.#chunk = this.#chunk.subarray(piece.length);
    this.#bodyLeft -= piece.length;
    // After CONNECT the car waits for its acceptance before anything else of it is looked at.
    if (this.#bodyLeft === 0 && !this.#accepted) this.#hold = { value: "unaccepted" };
    this.#wanted = this.push(piece);
    return "moved";
  }

  #full(): boolean {
    const { inflightMessagesMax, inflightBytesMax } = this.#options.limits;
    const { messages, bytes } = this.#inflight;
    return messages >= inflightMessagesMax || bytes >= inflightBytesMax;
  }
}
