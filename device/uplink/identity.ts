/**
 * Who the car is, on its disk: `identity.json` (nothing secret: addresses, certificates, the pinned authority key),
 * `device.key` (TLS) and `signing.seed` (Ed25519), the latter two readable by their owner only. Once a certificate was
 * renewed, `identity.json` names the file of the key that goes with it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Address,
  certifiedVerifyKey,
  type EnrolmentResponse,
  KEY_BYTES,
  openKeyCertificate,
  ProtocolError,
  type SigningKey,
  signingKey,
  tenantId,
  type VerifyKey,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { type KeyRing, openKeyRing, type PinnedKeys } from "./key-ring.ts";

export const IDENTITY_FILE = "identity.json";
export const TLS_KEY_FILE = "device.key";
export const SEED_FILE = "signing.seed";

export type Identity = {
  readonly address: Address;
  readonly signingKey: SigningKey;
  /** Of the signing key: opens what is sealed to the car. */
  readonly seed: Uint8Array;
  /** PEM, for the connection to the broker. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly broker: EnrolmentResponse["broker"];
  /** The tenant's authority, pinned. */
  readonly authority: VerifyKey;
  /** Its tenant's keys as enrolment gave them; `keys` has those in force. */
  readonly commandKey: VerifyKey;
  readonly keys: KeyRing;
  readonly ingestKey: { readonly version: number; readonly publicKey: Uint8Array };
};

type Stored = EnrolmentResponse & {
  readonly tenant: string;
  readonly vehicle: string;
  /** Left out: the one from the enrolment. */
  readonly tlsKeyFile?: string;
};

const RENEWED_KEY_FILE = /^device-[0-9a-f]{16}\.key$/;
/** Whether a file of the identity's folder is a key that came with a renewal. */
export function isRenewedKeyFile(name: string): boolean {
  return RENEWED_KEY_FILE.test(name);
}

/** What is written of an enrolment. Throws ProtocolError where the keys in it are not certified by its authority. */
export function identityDocument(address: Address, response: EnrolmentResponse): string {
  const document: Stored = { tenant: address.tenant, vehicle: address.vehicle, ...response };
  certifiedKeys(address, document);
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** What a restart would connect with. Throws as `loadIdentity`, and what the disk throws. */
export function storedTls(dir: string): Identity["tls"] {
  const file = join(dir, IDENTITY_FILE);
  return tlsOf(dir, parseStored(readFileSync(file, "utf8"), file));
}

function tlsOf(dir: string, { serverCa, certificateChain, tlsKeyFile }: Stored): Identity["tls"] {
  const key = readFileSync(join(dir, tlsKeyFile ?? TLS_KEY_FILE), "utf8");
  return { ca: serverCa, cert: certificateChain, key };
}

/** What is written when certificate and key were renewed: all else stays. Throws ProtocolError `malformed`. */
export function renewedDocument(
  file: string,
  renewed: Required<Pick<Stored, "certificateChain" | "serverCa" | "tlsKeyFile">>,
): string {
  const stored = parseStored(readFileSync(file, "utf8"), file);
  return `${JSON.stringify({ ...stored, ...renewed }, undefined, 2)}\n`;
}

/**
 * Reads the identity in `dir`; undefined where the car is not enrolled. Throws ProtocolError `malformed` or
 * `unauthenticated` where the files are not what enrolment wrote.
 */
export function loadIdentity(dir: string): Identity | undefined {
  const file = join(dir, IDENTITY_FILE);
  if (!existsSync(file)) return undefined;
  const stored = parseStored(readFileSync(file, "utf8"), file);
  const address = { tenant: tenantId(stored.tenant), vehicle: vehicleId(stored.vehicle) };
  const seed = Uint8Array.from(readFileSync(join(dir, SEED_FILE)));
  if (seed.length !== KEY_BYTES)
    throw new ProtocolError("malformed", `${SEED_FILE}: expected ${KEY_BYTES} bytes`);
  return {
    address,
    signingKey: signingKey(seed),
    seed,
    tls: tlsOf(dir, stored),
    broker: stored.broker,
    ...certifiedKeys(address, stored),
    keys: openKeyRing(dir, pinnedKeys(address, stored)),
  };
}

function certifiedKeys(
  { tenant }: Address,
  { authorityKey, keyCertificates }: EnrolmentResponse,
): Pick<Identity, "authority" | "commandKey" | "ingestKey"> {
  const authority = verifyKey(fromBase64url(authorityKey));
  const { command, ingest } = keyCertificates;
  if (command === undefined || ingest === undefined)
    throw new ProtocolError("malformed", "enrolment: expected keys for command and ingest");
  const open = (
    purpose: "command" | "ingest",
    envelope: string,
  ): ReturnType<typeof openKeyCertificate> =>
    openKeyCertificate(authority, { tenant, purpose }, fromBase64url(envelope));
  const { version, publicKey } = open("ingest", ingest);
  return {
    authority,
    commandKey: certifiedVerifyKey(open("command", command)),
    ingestKey: { version, publicKey },
  };
}

function pinnedKeys({ tenant }: Address, stored: EnrolmentResponse): PinnedKeys {
  const { authorityKey, authorityVersion, spareKey, keyCertificates } = stored;
  return {
    tenant,
    authorityKey: fromBase64url(authorityKey),
    ...(authorityVersion === undefined ? {} : { authorityVersion }),
    ...(spareKey === undefined ? {} : { spareKey: fromBase64url(spareKey) }),
    certificates: Object.values(keyCertificates).map(fromBase64url),
  };
}

function fromBase64url(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value, "base64url"));
}

function parseStored(text: string, file: string): Stored {
  const value = parseJson(text, file);
  const { tenant, vehicle, tlsKeyFile } = value;
  if (typeof tenant !== "string" || typeof vehicle !== "string")
    throw new ProtocolError("malformed", `${file}: expected tenant and vehicle`);
  const stored = { tenant, vehicle, ...readResponse(value, file) };
  if (tlsKeyFile === undefined) return stored;
  if (typeof tlsKeyFile !== "string" || !isRenewedKeyFile(tlsKeyFile))
    throw new ProtocolError("malformed", `${file}: expected the name of a key's file`);
  return { ...stored, tlsKeyFile };
}

export function parseJson(text: string, where: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw new ProtocolError("malformed", `${where}: expected a JSON object`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Checks the shape of an enrolment's answer. Throws ProtocolError `malformed`. */
export function readResponse(
  value: Readonly<Record<string, unknown>>,
  where: string,
): EnrolmentResponse {
  const { certificateChain, serverCa, authorityKey, spareKey, keyCertificates, broker } = value;
  const { authorityVersion } = value;
  const keys = isRecord(keyCertificates) ? keyCertificates : {};
  const { command, ingest } = keys;
  const { host, port } = isRecord(broker) ? broker : {};
  const sane =
    typeof certificateChain === "string" &&
    typeof serverCa === "string" &&
    typeof authorityKey === "string" &&
    typeof command === "string" &&
    typeof ingest === "string" &&
    (spareKey === undefined || typeof spareKey === "string") &&
    (authorityVersion === undefined || isVersion(authorityVersion)) &&
    typeof host === "string" &&
    typeof port === "number";
  if (!sane) throw new ProtocolError("malformed", `${where}: expected an enrolment's answer`);
  return {
    certificateChain,
    serverCa,
    authorityKey,
    ...(authorityVersion === undefined ? {} : { authorityVersion }),
    ...(spareKey === undefined ? {} : { spareKey }),
    keyCertificates: { command, ingest, ...others(keys) },
    broker: { host, port },
  };
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

/** Certificates for purposes that a car can do without. */
function others(keys: Readonly<Record<string, unknown>>): EnrolmentResponse["keyCertificates"] {
  const found = (["grant", "time", "artefact"] as const).flatMap((purpose) => {
    const envelope = keys[purpose];
    return typeof envelope === "string" ? [[purpose, envelope] as const] : [];
  });
  return Object.fromEntries(found);
}
