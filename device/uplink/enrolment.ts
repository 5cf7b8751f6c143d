/**
 * Joining a tenant: the car makes its two keys itself, proves that it has them, and keeps what it gets back. Keys are
 * written before they are used and kept until enrolment succeeds, so that an answer that got lost is asked for again
 * with the same keys.
 */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { request as requestHttps } from "node:https";
import { join } from "node:path";
import {
  type Address,
  clientIdOf,
  type EnrolmentRequest,
  ProtocolError,
  provePossession,
  randomBytes,
  signingKey,
} from "@kerbside/protocol";
import { writeDurably } from "./files.ts";
import {
  IDENTITY_FILE,
  type Identity,
  identityDocument,
  loadIdentity,
  parseJson,
  readResponse,
  SEED_FILE,
  TLS_KEY_FILE,
} from "./identity.ts";

export type EnrolmentConfig = {
  readonly dir: string;
  readonly address: Address;
  /** Base URL of the cloud's API; `/enrol` is added. */
  readonly url: string;
  /** PEM: the authority to trust for this first contact. */
  readonly ca: string;
  /** One-time, secret. */
  readonly token: string;
};

const SEED_BYTES = 32;
const ANSWER_BYTES_MAX = 64 * 1024;
const ANSWER_MS_MAX = 20_000;
const SUBJECT_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/**
 * Enrols the car, or returns who it already is. Rejects with ProtocolError `unavailable` (try again), `forbidden` (the
 * token is not good for it), `malformed` or `unauthenticated` (the answer is not what it should be).
 */
export async function enrol(config: EnrolmentConfig): Promise<Identity> {
  const { dir, address, token } = config;
  const enrolled = loadIdentity(dir);
  if (enrolled !== undefined) return enrolled;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const seed = keep(join(dir, SEED_FILE), () => randomBytes(SEED_BYTES));
  const tlsKey = keep(join(dir, TLS_KEY_FILE), newTlsKey);
  const key = signingKey(Uint8Array.from(seed));
  const csr = await certificateRequest(address, tlsKey.toString("utf8"));
  const request: EnrolmentRequest = {
    tenant: address.tenant,
    vehicle: address.vehicle,
    token,
    csr,
    signingKey: base64url(key.publicKey),
    signingKeyProof: base64url(provePossession(key, address, csr)),
  };
  const answer = readResponse(parseJson(await post(config, request), "enrolment"), "enrolment");
  writeDurably(join(dir, IDENTITY_FILE), identityDocument(address, answer));
  const identity = loadIdentity(dir);
  if (identity === undefined) throw new ProtocolError("storage_failed", `${dir}: cannot be read`);
  return identity;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function keep(file: string, make: () => Uint8Array): Buffer {
  if (!existsSync(file)) writeDurably(file, make());
  return readFileSync(file);
}

function newTlsKey(): Uint8Array {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return Buffer.from(privateKey.export({ format: "pem", type: "pkcs8" }));
}

/** PKCS #10, PEM, signed by the TLS key. The library is loaded for this alone: a running agent does not carry it. */
async function certificateRequest(address: Address, tlsKeyPem: string): Promise<string> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const key = createPrivateKey(tlsKeyPem);
  const { subtle } = globalThis.crypto;
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const privateKey = await subtle.importKey("pkcs8", pkcs8, SUBJECT_ALGORITHM, true, ["sign"]);
  const { d: _, key_ops: __, ...publicPart } = await subtle.exportKey("jwk", privateKey);
  const publicKey = await subtle.importKey("jwk", publicPart, SUBJECT_ALGORITHM, true, ["verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${clientIdOf(address)}, O=${address.tenant}`,
    keys: { privateKey, publicKey },
    signingAlgorithm: SUBJECT_ALGORITHM,
  });
  return request.toString("pem");
}

/** Posts over TLS 1.3 and returns the body of a 2xx answer. */
function post({ url, ca }: EnrolmentConfig, body: EnrolmentRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const target = new URL("enrol", url.endsWith("/") ? url : `${url}/`);
    const fail = (code: "unavailable" | "forbidden" | "malformed", detail: string): void =>
      reject(new ProtocolError(code, `enrolment at ${target.host}: ${detail}`));
    const request = requestHttps(
      target,
      {
        method: "POST",
        ca,
        minVersion: "TLSv1.3",
        headers: { "content-type": "application/json" },
        timeout: ANSWER_MS_MAX,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > ANSWER_BYTES_MAX) request.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(Buffer.concat(chunks).toString("utf8"));
          else if (status >= 500 || status === 429) fail("unavailable", `it answered ${status}`);
          else fail("forbidden", `it answered ${status}`);
        });
      },
    );
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", (error) =>
      fail("unavailable", "code" in error ? String(error.code) : error.message),
    );
    request.end(JSON.stringify(body));
  });
}
