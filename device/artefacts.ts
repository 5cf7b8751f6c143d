/** Signed artefacts that the cloud pushes: each goes to whoever keeps its kind; a refused one changes nothing. */
import type { PolicyStore } from "@kerbside/immobiliser";
import { type Log, ProtocolError, type Push, type VerifyKey } from "@kerbside/protocol";

export type ArtefactParts = {
  readonly policy: Pick<PolicyStore, "apply" | "version">;
  /** The tenant's artefact key in force; undefined: none was pushed yet. */
  readonly key: () => VerifyKey | undefined;
  readonly log: Log;
};

/** Never throws. What is no artefact is left to others. */
export function artefactTaker({ policy, key, log }: ArtefactParts): (push: Push) => void {
  return (push) => {
    if (push.kind !== "artefact") return;
    const trusted = key();
    if (trusted === undefined) {
      log.warn("artefact.refused", { code: "unauthenticated" });
      return;
    }
    policy.apply(trusted, push.manifest, push.content).then(
      () => log.info("artefact.applied", { kind: "rental", version: policy.version() }),
      (error: unknown) => {
        const code = error instanceof ProtocolError ? error.code : "storage_failed";
        log.warn("artefact.refused", { code });
      },
    );
  };
}
