/** Who looks on while a world runs, and says what must never happen as it does. */
import { sha256, toHex } from "@kerbside/protocol";
import type { Disk } from "../disk/disk.ts";
import { MARK } from "./car.ts";
import type { Encryption } from "./sodium.ts";

const ROW = Buffer.from("kerbside/v1/row");
const PLAIN = Buffer.from(MARK);
const SEGMENT = Buffer.from("kerbside/v1/segment");

export class Witness {
  /** What was seen that may not be; the first few. */
  readonly problems: string[] = [];
  /** Two cars go on with one memory: what the one used, the other uses too. */
  twins = false;
  readonly #used = new Set<string>();
  /** Keys that this boot has encrypted with, as they lie in memory. */
  #keys = new Map<Uint8Array, string>();
  readonly #roots: Buffer[] = [];

  problem(what: string): void {
    if (this.problems.length < 5) this.problems.push(what);
  }

  readonly encryption = ({ key, nonce, bound }: Encryption): void => {
    const row = ROW.equals(bound.subarray(0, ROW.length));
    const segment = SEGMENT.equals(bound.subarray(0, SEGMENT.length));
    // The cloud encrypts too, under random nonces.
    if (!row && !segment) return;
    const id = toHex(sha256(Buffer.concat([key, nonce])));
    if (this.#used.has(id) && !this.twins) this.problem("a key and a nonce were used twice");
    this.#used.add(id);
    this.#keys.set(key, toHex(key));
  };

  /** Roots of logs are the only 32 bytes that a buffer asks chance for. */
  readonly chance = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length === 32) this.#roots.push(Buffer.from(bytes));
    return bytes;
  };

  watch(disk: Disk): void {
    const before = disk.watch;
    disk.watch = (path, bytes) => {
      before(path, bytes);
      const written = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      if (written.includes(PLAIN)) this.problem(`an event went to ${path} in plain`);
      if (this.#roots.some((root) => written.includes(root)))
        this.problem(`the root of a log went to ${path}`);
    };
  }

  /** At most `most` keys may lie in memory now. */
  keysInMemory(most: number, when: string): void {
    const live = [...this.#keys].filter(([key, was]) => toHex(key) === was);
    if (live.length > most) this.problem(`${live.length} keys of events are in memory ${when}`);
  }

  /** The machine went down, and its memory with it. */
  forgetMemory(): void {
    this.#keys = new Map();
  }
}
