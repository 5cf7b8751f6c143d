/**
 * What was sensed before the power went, against what is sensed at the first look after a start. A difference is told;
 * it is never put right by a pulse, for nobody knows who made it.
 */
import type { SensedState } from "@kerbside/protocol";

export type BootDifference = {
  readonly fault: "lock.changed_while_off" | "immobiliser.changed_while_off";
  readonly words: string;
};

/** Only what is known on both sides can differ. Doors are for everybody to open, and are not compared. */
export function bootDifferences(before: SensedState, now: SensedState): readonly BootDifference[] {
  const differs = (name: "locked" | "immobilised"): boolean =>
    before[name] !== "unknown" && now[name] !== "unknown" && before[name] !== now[name];
  const differences: BootDifference[] = [];
  if (differs("locked")) {
    const words = now.locked === "yes" ? "it is locked, and was not" : "it is not locked, and was";
    differences.push({ fault: "lock.changed_while_off", words });
  }
  if (differs("immobilised")) {
    const words =
      now.immobilised === "yes" ? "start is inhibited, and was not" : "start is free, and was not";
    differences.push({ fault: "immobiliser.changed_while_off", words });
  }
  return differences;
}
