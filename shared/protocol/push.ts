/**
 * What travels on `artefact`, three kinds of things that a car takes and keeps: a signed artefact with its content, new
 * keys, a sealed grant list. A CBOR list: the kind's place in the table, then its parts.
 */
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { ProtocolError } from "./errors.ts";

/** Names are only ever appended. */
export const PUSH_KINDS = ["artefact", "keys", "grants"] as const;
export type PushKind = (typeof PUSH_KINDS)[number];

export type Push =
  | {
      readonly kind: "artefact";
      /** See `openArtefact`. */
      readonly manifest: Uint8Array;
      readonly content: Uint8Array;
    }
  /** See `applyKeyPush`. */
  | { readonly kind: "keys"; readonly keys: Uint8Array }
  /** See `unsealGrantList`. */
  | { readonly kind: "grants"; readonly sealed: Uint8Array };

export function encodePush(push: Push): Uint8Array {
  const kind = PUSH_KINDS.indexOf(push.kind);
  switch (push.kind) {
    case "artefact":
      return encodeCbor([kind, push.manifest, push.content]);
    case "keys":
      return encodeCbor([kind, push.keys]);
    case "grants":
      return encodeCbor([kind, push.sealed]);
  }
}

/** Throws ProtocolError `malformed`, also for a kind that this reader does not know. Believes nothing yet. */
export function parsePush(message: Uint8Array): Push {
  const parts = decodeCbor(message);
  const [code, first, second, ...rest] = Array.isArray(parts) ? parts : [];
  const kind = typeof code === "number" ? PUSH_KINDS[code] : undefined;
  const malformed = new ProtocolError("malformed", "push: expected a kind and its parts");
  if (kind === undefined || !(first instanceof Uint8Array) || rest.length > 0) throw malformed;
  switch (kind) {
    case "artefact":
      if (!(second instanceof Uint8Array)) throw malformed;
      return { kind, manifest: first, content: second };
    case "keys":
      if (second !== undefined) throw malformed;
      return { kind, keys: first };
    case "grants":
      if (second !== undefined) throw malformed;
      return { kind, sealed: first };
  }
}
