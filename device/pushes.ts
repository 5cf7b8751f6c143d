/** What the cloud pushes on `artefact`: new keys are taken here, everything else goes to whoever keeps it. */
import { type Channel, type Log, ProtocolError, type Push, parsePush } from "@kerbside/protocol";
import type { KeyRing } from "@kerbside/uplink";

export type PushParts = {
  readonly keys: Pick<KeyRing, "apply">;
  /** Something that announcements say has changed. */
  readonly changed: () => void;
  readonly other?: (push: Exclude<Push, { kind: "keys" }>) => void;
  readonly log: Log;
};

/** Never throws. Runs to its end at once, so that a command behind a push meets the keys that came with it. */
export function pushTaker(parts: PushParts): (channel: Channel, payload: Uint8Array) => void {
  const { keys, changed, other, log } = parts;
  return (channel, payload) => {
    if (channel !== "artefact") return;
    try {
      const push = parsePush(payload);
      if (push.kind !== "keys") {
        other?.(push);
        return;
      }
      const taken = keys.apply(push.keys);
      if (taken.length === 0) return;
      log.info("keys.taken", { purposes: taken.join(" ") });
      changed();
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : "storage_failed";
      log.warn("push.refused", { code });
    }
  };
}
