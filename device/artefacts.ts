/**
 * Signed artefacts that the cloud pushes: each goes to whoever keeps its kind. A refused one changes nothing, and is
 * told to the cloud as a fault.
 */
import {
  type ArtefactKind,
  type Clock,
  ERRORS,
  type Log,
  type NewEvent,
  openArtefact,
  ProtocolError,
  type Push,
  type VerifyKey,
} from "@kerbside/protocol";
import type { Receipts } from "./receipts.ts";

/** Keeps a kind: verifies, checks and applies it whole. Rejects where it is refused. */
export type ArtefactKeeper = (
  key: VerifyKey,
  envelope: Uint8Array,
  content: Uint8Array,
) => Promise<unknown>;

export type ArtefactParts = {
  readonly keepers: Readonly<Partial<Record<ArtefactKind, ArtefactKeeper>>>;
  /** The tenant's artefact key in force; undefined: none was pushed yet, and nothing is believed. */
  readonly key: () => VerifyKey | undefined;
  /** What announcements then say of it. */
  readonly receipts: Pick<Receipts, "kept" | "refused">;
  /** Something that announcements say has changed. */
  readonly changed: () => void;
  readonly clock: Clock;
  readonly emit: (event: NewEvent) => void;
  readonly log: Log;
};

/** Refusals are told one by one up to one in this time, then counted: the lane of alarms is not theirs to fill. */
const REFUSALS_MS = 60_000;
const DETAIL_CHARS_MAX = 200;

/** Never throws. What is no artefact is left to others. */
export function artefactTaker(parts: ArtefactParts): (push: Push) => void {
  const refused = refusals(parts);
  return (push) => {
    if (push.kind !== "artefact") return;
    const { manifest: envelope, content } = push;
    take(parts, envelope, content).catch((error: unknown) => {
      refused(error instanceof Error ? error : new Error("refused"));
    });
  };
}

async function take(
  { keepers, key, receipts, changed, log }: ArtefactParts,
  envelope: Uint8Array,
  content: Uint8Array,
): Promise<void> {
  const trusted = key();
  if (trusted === undefined) {
    throw new ProtocolError("unauthenticated", "no artefact key is there yet");
  }
  // What does not verify names nothing, and gets no receipt.
  const artefact = openArtefact(trusted, envelope, content);
  const { kind, name, version } = artefact;
  try {
    const keeper = keepers[kind];
    if (keeper === undefined) throw new ProtocolError("forbidden", `nobody keeps a ${kind} here`);
    await keeper(trusted, envelope, content);
  } catch (error) {
    if (!isTemporary(error)) {
      await receipts.refused(artefact, error instanceof Error ? error.message : "refused");
      changed();
    }
    throw error;
  }
  await receipts.kept(artefact);
  changed();
  log.info("artefact.applied", { kind, name, version });
}

/** Of the moment, such as a full disk: it is not told as refused, and so comes again. */
function isTemporary(error: unknown): boolean {
  if (error instanceof ProtocolError) return ERRORS[error.code].temporary;
  return error instanceof Error && "syscall" in error;
}

function refusals({ clock, emit, log }: ArtefactParts): (error: Error) => void {
  let nextMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  return (error) => {
    const code = error instanceof ProtocolError ? error.code : "invalid";
    log.warn("artefact.refused", { code });
    count += 1;
    if (clock.bootMs() < nextMs) return;
    nextMs = clock.bootMs() + REFUSALS_MS;
    const detail = `${code}: ${error.message}`.slice(0, DETAIL_CHARS_MAX);
    emit({ kind: "fault.raised", data: { code: "artefact.refused", detail, count } });
    count = 0;
  };
}
