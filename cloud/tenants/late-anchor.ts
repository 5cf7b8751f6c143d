/**
 * A head of the audit trail that is anchored right after its commit instead of before it is answered: for what is on
 * its way within this platform, and is answered to a caller only with a later head, which stands for this one too.
 */
import { ProtocolError } from "@kerbside/protocol";
import type { AuditHead } from "./audit-chain.ts";

export class LateAnchor {
  readonly #keep: (head: AuditHead) => void;
  #head: AuditHead | undefined;
  #soon: NodeJS.Immediate | undefined;

  /** `keep` is durable when it returns. */
  constructor(keep: (head: AuditHead) => void) {
    this.#keep = keep;
  }

  /** Keeps it once what is being done now is done: an answer that waits is on its way first. */
  anchor(head: AuditHead): void {
    this.#head = head;
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      try {
        this.settle();
      } catch (error) {
        // The disk's fault is met again by the next head, with somebody to be told.
        if (!(error instanceof ProtocolError)) throw error;
      }
    });
  }

  /** A later head is about to be kept. */
  stoodFor(): void {
    this.#head = undefined;
  }

  /** Throws what `keep` throws; then the head waits on. */
  settle(): void {
    if (this.#head === undefined) return;
    this.#keep(this.#head);
    this.#head = undefined;
  }
}
