/**
 * Joining a tenant: the car makes its two keys itself, proves that it has them, and keeps what it gets back. Keys are
 * written before they are used and kept until enrolment succeeds, so that an answer that got lost is asked for again
 * with the same keys.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Address,
  type EnrolmentRequest,
  ProtocolError,
  provePossession,
  randomBytes,
  signingKey,
} from "@kerbside/protocol";
import { certificateRequest, newTlsKey } from "./certificate-request.ts";
import { writeDurably } from "./files.ts";
import { post } from "./https-post.ts";
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
import type { JudgeLife } from "./server-trust.ts";

export type EnrolmentConfig = {
  readonly dir: string;
  readonly address: Address;
  /** Base URL of the cloud's API; `/enrol` is added. */
  readonly url: string;
  /** PEM: the authority to trust for this first contact. */
  readonly ca: string;
  /** One-time, secret. */
  readonly token: string;
  /** Whether the server's certificates are in force now; left out, the machine's clock judges. */
  readonly judge?: JudgeLife;
};

const SEED_BYTES = 32;

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
  const tlsKey = keep(join(dir, TLS_KEY_FILE), () => Buffer.from(newTlsKey()));
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
  const what = "enrolment";
  const { url, ca, judge } = config;
  const said = await post({ url, path: "enrol", what, tls: { ca }, body: request, judge });
  const answer = readResponse(parseJson(said, what), what);
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
