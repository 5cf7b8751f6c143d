/** Cuts a stream of bytes into lines, whatever ends them: "\n", "\r\n", or "\r" as old analysers write. */

export type LineListener = (bytes: Uint8Array, from: number, to: number) => void;

/** Longer lines are cut to this: no log has such, and a stream without line ends must not fill memory. */
export const LINE_BYTES_MAX = 4096;

const LF = 10;
const CR = 13;

export class LineSplitter {
  /** Lines begun so far; the number of the line that is being listened to. */
  line = 0;
  private readonly listener: LineListener;
  private readonly rest: Uint8Array = new Uint8Array(LINE_BYTES_MAX);
  private restLength = 0;
  private restOpen = false;
  private afterCr = false;

  constructor(listener: LineListener) {
    this.listener = listener;
  }

  /** True if the next byte pushed begins a line. */
  get atLineStart(): boolean {
    return !this.restOpen && !this.afterCr;
  }

  /** Calls the listener for every line that ends within; its bytes may be those of `chunk`. */
  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.afterCr && chunk[0] === LF) from = 1;
    if (chunk.length > 0) this.afterCr = false;
    if (chunk.indexOf(CR, from) < 0) from = this.pushLines(chunk, from);
    else from = this.pushAnyEnds(chunk, from);
    if (from < chunk.length) this.keep(chunk, from, chunk.length);
  }

  /** Lines that all end in "\n", at the speed of a native search; returns where the rest begins. */
  private pushLines(chunk: Uint8Array, start: number): number {
    let from = start;
    for (let to = chunk.indexOf(LF, from); to >= 0; to = chunk.indexOf(LF, from)) {
      this.emit(chunk, from, to);
      from = to + 1;
    }
    return from;
  }

  private pushAnyEnds(chunk: Uint8Array, start: number): number {
    let from = start;
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte !== LF && byte !== CR) continue;
      this.emit(chunk, from, i);
      if (byte === CR) {
        if (i + 1 === chunk.length) this.afterCr = true;
        else if (chunk[i + 1] === LF) i++;
      }
      from = i + 1;
    }
    return from;
  }

  /** The last line, if it has no end. */
  end(): void {
    if (this.restOpen) this.emit(this.rest, 0, 0);
  }

  private emit(bytes: Uint8Array, from: number, to: number): void {
    this.line++;
    if (!this.restOpen) {
      this.listener(bytes, from, Math.min(to, from + LINE_BYTES_MAX));
      return;
    }
    this.keep(bytes, from, to);
    const length = this.restLength;
    this.restLength = 0;
    this.restOpen = false;
    this.listener(this.rest, 0, length);
  }

  private keep(bytes: Uint8Array, from: number, to: number): void {
    const length = Math.min(to - from, LINE_BYTES_MAX - this.restLength);
    this.rest.set(bytes.subarray(from, from + length), this.restLength);
    this.restLength += length;
    this.restOpen = true;
  }
}
