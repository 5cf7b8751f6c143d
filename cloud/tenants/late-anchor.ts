/**
 * A head of the audit trail that is anchored a little after its commit instead of before it is answered: for what is on
 * its way within this platform, and is answered to a caller only with a later head, which stands for this one too.
 */
import { ProtocolError } from "@kerbside/protocol";
import type { HeadToSign } from "./audit-chain.ts";

/**
 * How long a head may wait, far within the 10 s of P-51. Not at once: its flush would stand in the way of the command's
 * own on the same disk. Heads that follow within it are kept as one, which stands for all of them.
 */
const WAIT_MS_MAX = 250;

export class LateAnchor {
  readonly #keep: (head: HeadToSign) => void;
  #head: HeadToSign | undefined;
  /** Of the newest head that was kept. */
  #keptSeq = 0;
  #soon: NodeJS.Timeout | undefined;

  /** `keep` is durable when it returns. */
  constructor(keep: (head: HeadToSign) => void) {
    this.#keep = keep;
  }

  /** Keeps it, or one after it, within `WAIT_MS_MAX`. */
  anchor(head: HeadToSign): void {
    // One that is kept already stands for it.
    if (head.seq <= this.#keptSeq) return;
    this.#head = head;
    this.#settleSoon();
  }

  #settleSoon(): void {
    this.#soon ??= setTimeout(() => {
      try {
        this.settle();
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        // Where no other head follows, nobody else would keep this one within the 10 s.
        this.#settleSoon();
      }
    }, WAIT_MS_MAX);
  }

  /** This head has been kept, which stands for those before it. */
  stoodFor({ seq }: Pick<HeadToSign, "seq">): void {
    this.#keptSeq = Math.max(this.#keptSeq, seq);
    if (this.#head !== undefined && this.#head.seq <= seq) this.#head = undefined;
  }

  /** Throws what `keep` throws; then the head waits on. */
  settle(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    if (this.#head === undefined) return;
    this.#keep(this.#head);
    this.stoodFor(this.#head);
  }
}
