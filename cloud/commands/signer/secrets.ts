/**
 * The signer's secrets, in a vault that nothing but the signer opens: seeds of the keys that cars trust (`command/N`,
 * `grant/N`, `time/N`, `artefact/N`), `booking-mac/N`, the key of the MACs over bookings and grants, and `card-id/1`; and
 * the public keys that callers sign their requests with, where nobody but the operator can put one.
 * The highest N is used, or the highest that the car has; MACs of lower ones still verify.
 */
import {
  type Clock,
  deriveKey,
  equalBytes,
  hmac,
  KEY_BYTES,
  ProtocolError,
  type Random,
  type SigningKey,
  sameMac,
  sha256,
  signingKey,
  toHex,
  utf8,
  type Vault,
  type VehicleId,
} from "@kerbside/protocol";
import { KEY_ID_PATTERN, requestKey } from "./request-signature.ts";

/** Purposes whose keys the signer holds. */
export const SIGNER_PURPOSES = ["command", "grant", "time", "artefact"] as const;
export type SignerPurpose = (typeof SIGNER_PURPOSES)[number];
export type SignerPublicKey = { readonly version: number; readonly publicKey: Uint8Array };

const BOOKING_MAC = "booking-mac";
const CARD_ID = "card-id/1";
const SIGNED_REQUESTS = "signed-requests";
const REQUEST_KEY = "request-key/";
const REQUEST_KEY_OWNER = "request-key-owner/";
/** A vault forgets nothing: what is taken back is put as this. */
const TAKEN_BACK: Uint8Array = Uint8Array.of(0);
const YES: Uint8Array = Uint8Array.of(1);
/** What was read of the vault's file is read again after the first of these, and not used past the second. */
const READ_MS = { again: 1000, max: 5000 } as const;

function versionsIn(names: readonly string[], name: string): readonly number[] {
  const pattern = new RegExp(`^${name}/([1-9][0-9]{0,8})$`);
  return names
    .flatMap((n) => pattern.exec(n)?.slice(1, 2) ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

async function secretOf(vault: Vault, name: string): Promise<Uint8Array> {
  const secret = await vault.get(name);
  if (secret?.length !== KEY_BYTES) {
    throw new ProtocolError("unavailable", `signer's vault: ${name} is missing`);
  }
  return secret;
}

/** Makes what is missing of the signer's secrets. Idempotent. Answers the newest keys' public halves. */
export async function provisionSigner(
  vault: Vault,
  random: Random,
): Promise<Readonly<Record<SignerPurpose, SignerPublicKey>>> {
  const names = await vault.names();
  for (const name of [...SIGNER_PURPOSES, BOOKING_MAC]) {
    if (versionsIn(names, name).length === 0) {
      await vault.put(`${name}/1`, random.bytes(KEY_BYTES));
    }
  }
  if (!names.includes(CARD_ID)) await vault.put(CARD_ID, random.bytes(KEY_BYTES));
  const [command, grant, time, artefact] = await Promise.all(
    SIGNER_PURPOSES.map((purpose) => newest(vault, purpose)),
  );
  if (!(command && grant && time && artefact)) throw new Error("a purpose has no key");
  return { command, grant, time, artefact };
}

async function newest(vault: Vault, purpose: SignerPurpose): Promise<SignerPublicKey> {
  const version = versionsIn(await vault.names(), purpose)[0] ?? 1;
  const { publicKey } = signingKey(await secretOf(vault, `${purpose}/${version}`));
  return { version, publicKey };
}

/** Makes the next key of a purpose. It is used for cars that have its certificate, and for no other. */
export async function rotateSigner(
  vault: Vault,
  random: Random,
  purpose: SignerPurpose,
): Promise<SignerPublicKey> {
  const version = (versionsIn(await vault.names(), purpose)[0] ?? 0) + 1;
  await vault.put(`${purpose}/${version}`, random.bytes(KEY_BYTES));
  return newest(vault, purpose);
}

/** Where a caller's public key is kept. Names of callers are not those of a vault's paths, so they are hashed. */
function requestKeyName(subject: string, keyId: string): string {
  return `${REQUEST_KEY}${toHex(sha256(utf8(JSON.stringify([subject, keyId])))).slice(0, 40)}`;
}

/** Whose a key is, and what its signatures call it. */
export type RequestKeyOwner = { readonly subject: string; readonly keyId: string };
export type RequestKeyListed = RequestKeyOwner & {
  /** SHA-256 of the public key (SPKI, DER); undefined where it was taken back. */
  readonly sha256?: Uint8Array;
};

/** Keeps the public key that a caller signs its requests with; undefined takes it back. Throws ProtocolError `malformed`. */
export async function putRequestKey(
  vault: Vault,
  of: RequestKeyOwner,
  spki: Uint8Array | undefined,
): Promise<void> {
  if (!KEY_ID_PATTERN.test(of.keyId)) {
    throw new ProtocolError("malformed", "request key: expected an id of letters, digits, . _ -");
  }
  if (spki !== undefined) requestKey(spki);
  const name = requestKeyName(of.subject, of.keyId);
  if (spki === undefined && !(await vault.names()).includes(name)) {
    throw new ProtocolError("not_found", "request key: there is none such");
  }
  const { subject, keyId } = of;
  // First, so that no key counts that no list shows.
  await vault.put(ownerName(name), utf8(JSON.stringify({ subject, keyId })));
  await vault.put(name, spki ?? TAKEN_BACK);
}

const ownerName = (name: string): string => name.replace(REQUEST_KEY, REQUEST_KEY_OWNER);

/** The keys that callers have and had, by owner and id. */
export async function requestKeys(vault: Vault): Promise<readonly RequestKeyListed[]> {
  const names = (await vault.names()).filter((name) => name.startsWith(REQUEST_KEY));
  const keys = await Promise.all(
    names.map(async (name): Promise<RequestKeyListed> => {
      const owner = ownerIn(await vault.get(ownerName(name)));
      const spki = (await vault.get(name)) ?? TAKEN_BACK;
      return equalBytes(spki, TAKEN_BACK) ? owner : { ...owner, sha256: sha256(spki) };
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

type Read<T> = { readonly value: Promise<T>; readonly atMs: number };

/** The secrets of one tenant, read from the vault's file at most once a second: a rotated key is taken up by then. */
export class SignerSecrets {
  readonly #vault: Vault;
  readonly #clock: Clock;
  readonly #read = new Map<string, Read<unknown>>();
  readonly #keys = new Map<string, Promise<SigningKey>>();

  constructor(vault: Vault, clock: Clock) {
    this.#vault = vault;
    this.#clock = clock;
  }

  /** The key of the highest version, or of the highest up to `atMost`. Throws ProtocolError `unavailable`. */
  async key(purpose: SignerPurpose, atMost: number = Number.MAX_SAFE_INTEGER): Promise<SigningKey> {
    const version = (await this.#versions(purpose)).find((v) => v <= atMost);
    const name = `${purpose}/${version ?? 1}`;
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const made = secretOf(this.#vault, name).then(signingKey);
    this.#keys.set(name, made);
    made.catch(() => this.#keys.delete(name));
    return made;
  }

  /** The public halves of all versions, the newest first. */
  async publicKeys(purpose: SignerPurpose): Promise<readonly Uint8Array[]> {
    const versions = await this.#versions(purpose);
    const keys = await Promise.all(versions.map((version) => this.key(purpose, version)));
    return keys.map(({ publicKey }) => publicKey);
  }

  async mac(data: Uint8Array): Promise<Uint8Array> {
    return (await this.macer())(data);
  }

  /** For what is known only within a commit, which waits for nothing. */
  async macer(): Promise<(data: Uint8Array) => Uint8Array> {
    const [version = 1] = await this.#versions(BOOKING_MAC);
    const key = await this.#secret(`${BOOKING_MAC}/${version}`);
    return (data) => hmac(key, data);
  }

  /** Whether one of the vault's keys made this MAC. */
  async verifies(data: Uint8Array, mac: Uint8Array): Promise<boolean> {
    for (const version of await this.#versions(BOOKING_MAC)) {
      if (sameMac(hmac(await this.#secret(`${BOOKING_MAC}/${version}`), data), mac)) return true;
    }
    return false;
  }

  /** The key of the hash of card numbers: another one for each car, so that lists cannot be compared. */
  async cardIdKey(vehicle: VehicleId): Promise<Uint8Array> {
    return deriveKey(await this.#secret(CARD_ID), "kerbside/v1/card-id", utf8(vehicle));
  }

  /** Whether the tenant asks for signed requests. */
  async requestsAreSigned(): Promise<boolean> {
    const value = await this.#known(SIGNED_REQUESTS);
    return value !== undefined && !equalBytes(value, TAKEN_BACK);
  }

  /** A caller's public key, SPKI; undefined where it has none of this id. */
  async requestKey(subject: string, keyId: string): Promise<Uint8Array | undefined> {
    const value = await this.#known(requestKeyName(subject, keyId));
    return value === undefined || equalBytes(value, TAKEN_BACK) ? undefined : value;
  }

  /** What may not be there. Only what is there is remembered, so that asking for other names fills nothing. */
  async #known(name: string): Promise<Uint8Array | undefined> {
    const names = await this.#fresh("names", async () => new Set(await this.#vault.names()));
    return names.has(name) ? this.#fresh(name, () => this.#vault.get(name)) : undefined;
  }

  #versions(name: string): Promise<readonly number[]> {
    return this.#fresh(`versions of ${name}`, async () =>
      versionsIn(await this.#vault.names(), name),
    );
  }

  #secret(name: string): Promise<Uint8Array> {
    return this.#fresh(name, () => secretOf(this.#vault, name));
  }

  #fresh<T>(what: string, read: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.bootMs();
    const known = this.#read.get(what) as Read<T> | undefined;
    if (known === undefined || nowMs - known.atMs >= READ_MS.max) return this.#readNow(what, read);
    const { value, atMs } = known;
    if (nowMs - atMs >= READ_MS.again) {
      // Whoever asks now is answered first.
      this.#read.set(what, { value, atMs: nowMs - READ_MS.again / 2 });
      setImmediate(() => {
        this.#readNow(what, read).catch(() => undefined);
      });
    }
    return value;
  }

  #readNow<T>(what: string, read: () => Promise<T>): Promise<T> {
    const value = read();
    this.#read.set(what, { value, atMs: this.#clock.bootMs() });
    value.catch(() => this.#read.delete(what));
    return value;
  }
}
