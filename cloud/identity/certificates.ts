/**
 * The profiles of certificates (RFC 5280), ECDSA P-256 throughout. Names come from validated ids, never from a request;
 * of a request only the public key is taken over, after its signature has shown that the asker holds the key.
 */
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { ProtocolError } from "@kerbside/protocol";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** A certificate is valid a little before it was made, for clocks that are behind. */
const BACKDATE_MS = 5 * 60_000;
const SERIAL_BYTES = 16;
const CSR_CHARS_MAX = 4096;
/** A revocation list must be renewed before this, or every certificate is refused. */
const CRL_DAYS = 7;

type Row = { readonly lifeDays: number; readonly pathLength?: number };
/** Life of each kind in days, and how many authorities may stand below it. */
type Kind = "root" | "tenant" | "vehicle" | "server";
const PROFILES: Readonly<Record<Kind, Row>> = {
  root: { lifeDays: 3650, pathLength: 1 },
  tenant: { lifeDays: 1825, pathLength: 0 },
  vehicle: { lifeDays: 365 },
  server: { lifeDays: 90 },
};

/** An authority's key and certificate. */
export type CaKeys = {
  readonly privateKey: webcrypto.CryptoKey;
  readonly certificate: x509.X509Certificate;
};
/** `chain` is PEM, the certificate first. `serial` is hexadecimal in upper case, as TLS shows it. */
export type IssuedCertificate = {
  readonly chain: string;
  readonly serial: string;
  readonly notAfterMs: number;
};

export async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new Error("expected a key pair");
  return keys;
}

export async function exportPrivateKey(key: webcrypto.CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", key));
}

export function readCertificate(der: Uint8Array): x509.X509Certificate {
  return new x509.X509Certificate(Uint8Array.from(der));
}

export function importPrivateKey(pkcs8: Uint8Array): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", Uint8Array.from(pkcs8), ALGORITHM, false, ["sign"]);
}

export async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

/** Positive and of one length, 126 random bits. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

function validity(nowMs: number, lifeDays: number, within?: Date): { from: Date; to: Date } {
  const from = new Date(nowMs - BACKDATE_MS);
  const end = nowMs + lifeDays * DAY_MS;
  // What outlives its issuer could not be verified anyway.
  const to = new Date(within === undefined ? end : Math.min(end, within.getTime()));
  return { from, to };
}

/** A distinguished name of two parts; ids need no escaping. */
function nameOf(organization: string, commonName: string): x509.JsonName {
  return [{ O: [organization] }, { CN: [commonName] }];
}

/** A self-signed root where `issuer` is undefined, else an intermediate authority below it. */
export async function issueAuthority(
  what: { readonly organization: string; readonly commonName: string },
  issuer: CaKeys | undefined,
  nowMs: number,
): Promise<CaKeys> {
  const { lifeDays, pathLength } = issuer === undefined ? PROFILES.root : PROFILES.tenant;
  const keys = await newKeys();
  const name = nameOf(what.organization, what.commonName);
  const { from, to } = validity(nowMs, lifeDays, issuer?.certificate.notAfter);
  const above = issuer?.certificate.publicKey ?? keys.publicKey;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: name,
    issuer: issuer?.certificate.subjectName.toJSON() ?? name,
    notBefore: from,
    notAfter: to,
    publicKey: keys.publicKey,
    signingKey: issuer?.privateKey ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, pathLength, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(above),
    ],
  });
  return { privateKey: keys.privateKey, certificate };
}

/** A certificate to be made: for a car (TLS client) or, with the names it goes by, for a server. */
export type Leaf = {
  readonly kind: "vehicle" | "server";
  readonly organization: string;
  readonly commonName: string;
  readonly publicKey: x509.PublicKeyType;
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
};

function alternativeNames({ dns = [], ip = [] }: Leaf): x509.Extension[] {
  const names: x509.JsonGeneralNames = [
    ...dns.map((value) => ({ type: "dns" as const, value })),
    ...ip.map((value) => ({ type: "ip" as const, value })),
  ];
  return names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)];
}

/** A certificate that is no authority. */
export async function issueLeaf(
  leaf: Leaf,
  issuer: CaKeys,
  nowMs: number,
): Promise<IssuedCertificate> {
  const { from, to } = validity(nowMs, PROFILES[leaf.kind].lifeDays, issuer.certificate.notAfter);
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const usage = leaf.kind === "vehicle" ? clientAuth : serverAuth;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: nameOf(leaf.organization, leaf.commonName),
    issuer: issuer.certificate.subjectName.toJSON(),
    notBefore: from,
    notAfter: to,
    publicKey: leaf.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage], true),
      await x509.SubjectKeyIdentifierExtension.create(leaf.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
      ...alternativeNames(leaf),
    ],
  });
  const chain = `${certificate.toString("pem")}\n${issuer.certificate.toString("pem")}\n`;
  return {
    chain,
    serial: certificate.serialNumber.toUpperCase(),
    notAfterMs: certificate.notAfter.getTime(),
  };
}

/**
 * The public key of a PKCS #10 request whose signature verifies. Throws ProtocolError `malformed` or `unauthenticated`;
 * names and extensions that it asks for are ignored.
 */
export async function readRequest(csr: string): Promise<x509.PublicKey> {
  const request = parseRequest(csr);
  const { algorithm } = request.publicKey;
  if (!("namedCurve" in algorithm) || algorithm.namedCurve !== ALGORITHM.namedCurve) {
    throw new ProtocolError("malformed", "certificate request: expected an ECDSA P-256 key");
  }
  if (!(await request.verify().catch(() => false))) {
    throw new ProtocolError(
      "unauthenticated",
      "certificate request: its signature does not verify",
    );
  }
  return request.publicKey;
}

function parseRequest(csr: string): x509.Pkcs10CertificateRequest {
  if (csr.length > CSR_CHARS_MAX) {
    throw new ProtocolError(
      "malformed",
      `certificate request: expected at most ${CSR_CHARS_MAX} characters`,
    );
  }
  try {
    return new x509.Pkcs10CertificateRequest(csr);
  } catch (cause) {
    throw new ProtocolError("malformed", "certificate request: expected PKCS #10 in PEM", {
      cause,
    });
  }
}

/** A revocation list of an authority, PEM. It must be renewed before its week is over. */
export async function issueCrl(
  issuer: CaKeys,
  revoked: readonly { readonly serial: string; readonly atMs: number }[],
  nowMs: number,
): Promise<string> {
  const crl = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subjectName.toJSON(),
    thisUpdate: new Date(nowMs - BACKDATE_MS),
    nextUpdate: new Date(nowMs + CRL_DAYS * DAY_MS),
    signingKey: issuer.privateKey,
    signingAlgorithm: ALGORITHM,
    entries: revoked.map(({ serial, atMs }) => ({
      serialNumber: serial,
      revocationDate: new Date(atMs),
    })),
  });
  // OpenSSL wants this header; the library writes `CRL`.
  return x509.PemConverter.encode(crl.rawData, "X509 CRL");
}
