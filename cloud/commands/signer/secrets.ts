/**
 * The signer's secrets, in a vault that nothing but the signer opens: seeds of the keys that cars trust (`command/N`,
 * `grant/N`, `time/N`, `artefact/N`), `booking-mac/N`, the key of the MACs over bookings and grants, and `card-id/1`; and
 * the public keys that callers sign their requests with, where nobody but the operator can put one.
 * The highest N is used, or the highest that the car has; MACs of lower ones still verify.
 */
import {
  type Clock,
  deriveKey,
  hmac,
  KEY_BYTES,
  ProtocolError,
  type Random,
  type SigningKey,
  sameMac,
  signingKey,
  utf8,
  type Vault,
  type VehicleId,
} from "@kerbside/protocol";
import {
  asksForSignedRequests,
  keyInForce,
  type RequestKeyListed,
  type RequestKeyOwner,
  requestKeys,
  takeBack,
} from "./request-keys.ts";

/** Purposes whose keys the signer holds. */
export const SIGNER_PURPOSES = ["command", "grant", "time", "artefact"] as const;
export type SignerPurpose = (typeof SIGNER_PURPOSES)[number];
export type SignerPublicKey = { readonly version: number; readonly publicKey: Uint8Array };

const BOOKING_MAC = "booking-mac";
const CARD_ID = "card-id/1";
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

type Read<T> = { readonly value: Promise<T>; readonly atMs: number };

/** The secrets of one tenant, read from the vault's file at most once a second: a rotated key is taken up by then. */
export class SignerSecrets {
  readonly #vault: Vault;
  readonly #revoked: Vault;
  readonly #clock: Clock;
  readonly #read = new Map<string, Read<unknown>>();
  readonly #keys = new Map<string, Promise<SigningKey>>();

  /** `revoked`: which keys of callers were taken back, which the signer may write. */
  constructor(vault: Vault, revoked: Vault, clock: Clock) {
    this.#vault = vault;
    this.#revoked = revoked;
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
  requestsAreSigned(): Promise<boolean> {
    return this.#fresh("signed requests", () => asksForSignedRequests(this.#vault));
  }

  /** A caller's public key, SPKI; undefined where it has none of this id. As of now: one that was taken back is none. */
  requestKey(of: RequestKeyOwner): Promise<Uint8Array | undefined> {
    return keyInForce(this.#vault, this.#revoked, of);
  }

  /** The keys that callers have and had, as of now. */
  requestKeys(): Promise<readonly RequestKeyListed[]> {
    return requestKeys(this.#vault, this.#revoked);
  }

  /** Durable when it resolves, and for all signers over these files. Throws ProtocolError `not_found`. */
  revokeRequestKey(of: RequestKeyOwner): Promise<void> {
    return takeBack(this.#vault, this.#revoked, of);
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
