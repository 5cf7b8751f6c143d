/**
 * What the car says of artefacts that were pushed to it: which ones it keeps, and which it did not take and why. Kept on
 * the disk, so that a start does not have everything sent again; where the file is lost, that is what happens.
 */
import { openTwoCopyFile } from "@kerbside/immobiliser";
import {
  ARTEFACT_ID_BYTES,
  ARTEFACT_KINDS,
  ARTEFACT_NAME,
  artefactId,
  bytes,
  choice,
  decode,
  encode,
  field,
  type Log,
  list,
  ProtocolError,
  RECEIPTS_MAX,
  REFUSED_MAX,
  type SessionAnnouncement,
  type SignedArtefact,
  struct,
  type TypeOf,
  text,
} from "@kerbside/protocol";

const REASON_CHARS_MAX = 64;
const internal = { class: "Internal" } as const;
const idCodec = bytes(ARTEFACT_ID_BYTES);
const receiptsCodec = struct("receipts for artefacts", {
  kept: field(
    0,
    list(
      struct("an artefact that is kept", {
        kind: field(0, choice(ARTEFACT_KINDS), { ...internal, doc: "what it is" }),
        name: field(1, text(64, ARTEFACT_NAME), { ...internal, doc: "which of its kind" }),
        id: field(2, idCodec, { ...internal, doc: "see artefactId" }),
      }),
      RECEIPTS_MAX,
    ),
    { ...internal, doc: "the newest of each kind and name" },
  ),
  refused: field(
    1,
    list(
      struct("an artefact that was not taken", {
        artefact: field(0, idCodec, { ...internal, doc: "see artefactId" }),
        reason: field(1, text(REASON_CHARS_MAX), { ...internal, doc: "why" }),
      }),
      REFUSED_MAX,
    ),
    { ...internal, doc: "the latest, oldest first" },
  ),
});
type Content = TypeOf<typeof receiptsCodec>;

export type Receipts = {
  readonly announces: () => Pick<SessionAnnouncement, "artefacts" | "artefactsRefused">;
  /** Never rejects: what could not be written is told, and sent again after the next start. */
  readonly kept: (artefact: SignedArtefact) => Promise<void>;
  readonly refused: (artefact: SignedArtefact, reason: string) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Throws what the file system throws on opening. */
export async function openReceipts(path: string, log: Log): Promise<Receipts> {
  const file = await openTwoCopyFile(path);
  let content = read(file.content);
  const write = async (next: Content): Promise<void> => {
    content = next;
    try {
      await file.write(encode(receiptsCodec, next));
    } catch {
      log.warn("receipts.not_kept");
    }
  };
  return {
    announces: () => ({
      artefacts: content.kept.map(({ id }) => id),
      artefactsRefused: content.refused,
    }),
    kept: (artefact) => {
      const { kind, name } = artefact;
      const others = content.kept.filter((each) => each.kind !== kind || each.name !== name);
      const kept = [...others, { kind, name, id: artefactId(artefact) }].slice(-RECEIPTS_MAX);
      return write({ ...content, kept });
    },
    refused: (artefact, reason) => {
      const id = artefactId(artefact);
      const others = content.refused.filter((each) => !sameId(each.artefact, id));
      const said = { artefact: id, reason: reason.slice(0, REASON_CHARS_MAX) };
      return write({ ...content, refused: [...others, said].slice(-REFUSED_MAX) });
    },
    close: file.close,
  };
}

function sameId(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function read(content: Uint8Array | undefined): Content {
  const nothing: Content = { kept: [], refused: [] };
  if (content === undefined) return nothing;
  try {
    return decode(receiptsCodec, content);
  } catch (error) {
    if (error instanceof ProtocolError) return nothing;
    throw error;
  }
}
