/**
 * What can be told of an artefact before it is signed: that it is of its kind's form, fits into a message to a car, and
 * says the name and version that it is published under. The car judges the rest, and says so.
 */
import { isDeepStrictEqual } from "node:util";
import {
  ARTEFACT_NAME,
  type ArtefactKind,
  CHANNELS,
  decode,
  decodeCbor,
  encode,
  ProtocolError,
  type RentalPolicy,
  rentalPolicyCodec,
  utf8,
} from "@kerbside/protocol";

/** What one message to a car may carry, and some room for its envelope. */
export const CONTENT_BYTES_MAX: number = CHANNELS.artefact.bytesMax - 4096;

type Published = {
  readonly kind: ArtefactKind;
  readonly name: string;
  readonly version: number;
  readonly content: Uint8Array;
};

/** Throws ProtocolError `malformed`, saying what was expected. */
export function checkContent({ kind, name, version, content }: Published): void {
  if (!ARTEFACT_NAME.test(name)) {
    throw new ProtocolError("malformed", `name: expected ${ARTEFACT_NAME.source}`);
  }
  if (!(Number.isSafeInteger(version) && version > 0)) {
    throw new ProtocolError("malformed", "version: expected a whole number from 1");
  }
  if (content.length === 0 || content.length > CONTENT_BYTES_MAX) {
    throw new ProtocolError("malformed", `content: expected 1 to ${CONTENT_BYTES_MAX} bytes`);
  }
  if (kind === "rental") {
    decode(rentalPolicyCodec, content);
    return;
  }
  const document = kind === "profile" ? profileDocument(content) : content;
  const said = parse(kind, document);
  if (said["name"] !== name || said["version"] !== version) {
    throw new ProtocolError(
      "malformed",
      `${kind}: expected one that says name ${name} and version ${version} itself`,
    );
  }
}

/** The content of a JSON document, for kinds that have one. Throws ProtocolError `malformed`. */
export function contentOf(kind: ArtefactKind, document: unknown): Uint8Array {
  if (kind === "profile") {
    throw new ProtocolError("malformed", "profile: expected `content`, which has its DBCs too");
  }
  if (kind !== "rental") return utf8(JSON.stringify(document));
  // A policy has no field that JSON cannot say; what the codec does not know is not there when it is read back.
  const content = encodePolicy(document as RentalPolicy);
  if (!isDeepStrictEqual(decode(rentalPolicyCodec, content), document)) {
    throw new ProtocolError("malformed", "rental: expected endConditions, zones and unstartedMs");
  }
  return content;
}

function encodePolicy(policy: RentalPolicy): Uint8Array {
  try {
    return encode(rentalPolicyCodec, policy);
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    throw new ProtocolError("malformed", "rental: is no policy", { cause });
  }
}

function profileDocument(content: Uint8Array): Uint8Array {
  const parts = decodeCbor(content);
  const [json] = Array.isArray(parts) ? parts : [];
  if (!(json instanceof Uint8Array)) {
    throw new ProtocolError("malformed", "profile: expected a document and its DBCs");
  }
  return json;
}

function parse(kind: ArtefactKind, json: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (cause) {
    throw new ProtocolError("malformed", `${kind}: is not JSON`, { cause });
  }
  throw new ProtocolError("malformed", `${kind}: expected a JSON object`);
}
