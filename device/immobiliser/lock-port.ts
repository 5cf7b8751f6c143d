/** What moves bolts and immobiliser, whichever hardware is behind it. */
import type { LockAction, LockSensed } from "@kerbside/protocol";
import type { Actuated } from "./order.ts";

export type LockPort = {
  /**
   * Asks for one actuation and resolves with what became of it, within a bound of its own. `not_sent` means that
   * nothing moved. Never rejects, never does it later or again.
   */
  readonly actuate: (action: LockAction) => Promise<Actuated>;
  /** What the contacts say now; undefined where that cannot be told. */
  readonly report: () => LockSensed | undefined;
};
