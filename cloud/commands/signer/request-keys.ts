/**
 * The public keys that callers sign their requests with, and whether they have to. They are in the signer's vault, where
 * nobody but the operator at the command line can put one. Which of them were taken back by a call of the API is in a
 * file of its own: the only one that the signer writes, and nothing in it lets anybody in (P-11).
 */
import { equalBytes, ProtocolError, sha256, toHex, utf8, type Vault } from "@kerbside/protocol";
import { KEY_ID_PATTERN, requestKey } from "./request-signature.ts";

/** Whose a key is, and what its signatures call it. */
export type RequestKeyOwner = { readonly subject: string; readonly keyId: string };
export type RequestKeyListed = RequestKeyOwner & {
  readonly revoked: boolean;
  /** SHA-256 of the public key (SPKI, DER); undefined where nothing of it is kept. */
  readonly sha256?: Uint8Array;
};
/** A caller's name in its tokens. */
export const SUBJECT_CHARS_MAX = 256;

const SIGNED_REQUESTS = "signed-requests";
const REQUEST_KEY = "request-key/";
const REQUEST_KEY_OWNER = "request-key-owner/";
/** A vault forgets nothing: what is taken back is put as this. */
const TAKEN_BACK: Uint8Array = Uint8Array.of(0);
const YES: Uint8Array = Uint8Array.of(1);
const HASH_DIGITS = 40;

/** Names of callers are not those of a vault's paths, so they are hashed. */
const placeOf = (of: readonly string[]): string =>
  toHex(sha256(utf8(JSON.stringify(of)))).slice(0, HASH_DIGITS);
const keyName = ({ subject, keyId }: RequestKeyOwner): string =>
  `${REQUEST_KEY}${placeOf([subject, keyId])}`;
const ownerName = (name: string): string => name.replace(REQUEST_KEY, REQUEST_KEY_OWNER);
/** Of the key itself: another one under the same id is another key. */
const revokedName = ({ subject, keyId }: RequestKeyOwner, spki: Uint8Array): string =>
  `revoked/${placeOf([subject, keyId, toHex(spki)])}`;

/** Keeps the public key that a caller signs its requests with; undefined takes it back. Throws ProtocolError `malformed`. */
export async function putRequestKey(
  vault: Vault,
  of: RequestKeyOwner,
  spki: Uint8Array | undefined,
): Promise<void> {
  const { subject, keyId } = of;
  if (!KEY_ID_PATTERN.test(keyId)) {
    throw new ProtocolError("malformed", "request key: expected an id of letters, digits, . _ -");
  }
  if (subject.length === 0 || subject.length > SUBJECT_CHARS_MAX) {
    throw new ProtocolError(
      "malformed",
      `request key: expected a client of 1 to ${SUBJECT_CHARS_MAX} characters`,
    );
  }
  if (spki !== undefined) requestKey(spki);
  const name = keyName(of);
  if (spki === undefined && !(await vault.names()).includes(name)) throw noSuchKey();
  // First, so that no key counts that no list shows.
  await vault.put(ownerName(name), utf8(JSON.stringify({ subject, keyId })));
  await vault.put(name, spki ?? TAKEN_BACK);
}

/** The public key that counts now, SPKI; undefined where there is none of this id, or it was taken back. */
export async function keyInForce(
  vault: Vault,
  revoked: Vault,
  of: RequestKeyOwner,
): Promise<Uint8Array | undefined> {
  const spki = await vault.get(keyName(of));
  if (spki === undefined || equalBytes(spki, TAKEN_BACK)) return undefined;
  return (await wasTakenBack(revoked, of, spki)) ? undefined : spki;
}

/** Whether just this key of this caller was taken back by a call of the API, for good. */
export async function wasTakenBack(
  revoked: Vault,
  of: RequestKeyOwner,
  spki: Uint8Array,
): Promise<boolean> {
  return (await revoked.names()).includes(revokedName(of, spki));
}

/** Takes the key back for good. Idempotent, durable when it resolves. Throws ProtocolError `not_found`. */
export async function takeBack(vault: Vault, revoked: Vault, of: RequestKeyOwner): Promise<void> {
  const spki = await vault.get(keyName(of));
  if (spki === undefined) throw noSuchKey();
  if (equalBytes(spki, TAKEN_BACK) || (await wasTakenBack(revoked, of, spki))) return;
  await revoked.put(revokedName(of, spki), YES);
}

/** The keys that callers have and had, by owner and id. */
export async function requestKeys(
  vault: Vault,
  revoked: Vault,
): Promise<readonly RequestKeyListed[]> {
  const names = (await vault.names()).filter((name) => name.startsWith(REQUEST_KEY));
  const gone = new Set(await revoked.names());
  const keys = await Promise.all(
    names.map(async (name): Promise<RequestKeyListed> => {
      const owner = ownerIn(await vault.get(ownerName(name)));
      const spki = (await vault.get(name)) ?? TAKEN_BACK;
      if (equalBytes(spki, TAKEN_BACK)) return { ...owner, revoked: true };
      return { ...owner, revoked: gone.has(revokedName(owner, spki)), sha256: sha256(spki) };
    }),
  );
  const place = ({ subject, keyId }: RequestKeyListed): string => `${subject} ${keyId}`;
  return keys.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
}

function ownerIn(content: Uint8Array | undefined): RequestKeyOwner {
  const value: unknown =
    content === undefined ? undefined : JSON.parse(Buffer.from(content).toString("utf8"));
  if (typeof value !== "object" || value === null || !("subject" in value && "keyId" in value)) {
    throw new ProtocolError("storage_failed", "signer's vault: a request key without its owner");
  }
  return { subject: String(value.subject), keyId: String(value.keyId) };
}

/** Whether the tenant asks its callers for signed requests, as the vault has it now. */
export async function asksForSignedRequests(vault: Vault): Promise<boolean> {
  const value = await vault.get(SIGNED_REQUESTS);
  return value !== undefined && !equalBytes(value, TAKEN_BACK);
}

/** Whether callers of this tenant have to sign what they ask of cars, bookings and grants. */
export async function askForSignedRequests(vault: Vault, isAsked: boolean): Promise<void> {
  await vault.put(SIGNED_REQUESTS, isAsked ? YES : TAKEN_BACK);
}

function noSuchKey(): ProtocolError {
  return new ProtocolError("not_found", "request key: there is none such");
}
