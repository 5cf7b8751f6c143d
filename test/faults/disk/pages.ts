/** What a file of a simulated disk holds: pages, shared between copies until one of them is written to. */

/** As a page cache has it. */
export const PAGE_BYTES = 4096;

const SLAB_BYTES = 64 * PAGE_BYTES;
let slab = new Uint8Array(SLAB_BYTES);
let slabUsed = 0;

/** Zeros of nobody else, cut from a larger piece: a piece of memory each would cost more than what is done with it. */
export function zeros(count: number): Uint8Array {
  if (count > PAGE_BYTES) return new Uint8Array(count);
  if (slabUsed + count > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  const from = slabUsed;
  slabUsed += count;
  return slab.subarray(from, slabUsed);
}

/** Content by pages. What two have in common they share, until one of them writes there. */
export class Bytes {
  size: number;
  #pages: (Uint8Array | undefined)[] = [];
  /** By page: whether nobody else has it. */
  #own: boolean[] = [];

  /** `data` is never changed. */
  constructor(data: Uint8Array = new Uint8Array(0)) {
    this.size = data.length;
    for (let at = 0; at < data.length; at += PAGE_BYTES)
      this.#pages.push(data.subarray(at, at + PAGE_BYTES));
  }

  /** The page, to be written to. */
  #owned(index: number): Uint8Array {
    const page = this.#pages[index];
    if (page !== undefined && this.#own[index] === true) return page;
    const own = zeros(PAGE_BYTES);
    if (page !== undefined) own.set(page);
    this.#pages[index] = own;
    this.#own[index] = true;
    return own;
  }

  write(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const [index, from] = [Math.floor((at + done) / PAGE_BYTES), (at + done) % PAGE_BYTES];
      const part = Math.min(bytes.length - done, PAGE_BYTES - from);
      this.#owned(index).set(bytes.subarray(done, done + part), from);
      done += part;
    }
    this.size = Math.max(this.size, at + bytes.length);
  }

  truncate(size: number): void {
    const kept = Math.ceil(size / PAGE_BYTES);
    this.#pages.length = Math.min(this.#pages.length, kept);
    // What it grows over again reads as zero.
    if (size < this.size && size % PAGE_BYTES > 0 && this.#pages[kept - 1] !== undefined)
      this.#owned(kept - 1).fill(0, size % PAGE_BYTES);
    this.size = size;
  }

  /** Puts what there is of `count` bytes from `at` on into `to`, zeros where nothing was written; says how many. */
  read(to: Uint8Array, at: number, count: number): number {
    const end = Math.max(at, Math.min(this.size, at + count));
    to.fill(0, 0, end - at);
    for (let next = at; next < end; ) {
      const from = next % PAGE_BYTES;
      const part = Math.min(end - next, PAGE_BYTES - from);
      const page = this.#pages[Math.floor(next / PAGE_BYTES)];
      if (page !== undefined) to.set(page.subarray(from, from + part), next - at);
      next += part;
    }
    return end - at;
  }

  copy(): Bytes {
    const copy = new Bytes();
    this.#own = [];
    copy.#pages = this.#pages.slice();
    copy.size = this.size;
    return copy;
  }
}
