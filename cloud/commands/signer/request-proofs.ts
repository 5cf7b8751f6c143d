/**
 * Whether a caller made the request itself (P-51). A tenant that asks for it closes the last thing that a taken-over API
 * can do with tokens that are alive there: what opens cars is signed by the backend, and the signer, which holds the
 * backends' public keys in its own vault, verifies that it is asked for just what was signed, once.
 */
import { type Clock, ProtocolError, sha256, type TenantId, toHex, utf8 } from "@kerbside/protocol";
import type { SignerHome } from "./home.ts";
import type { RateLedger } from "./rate.ts";
import type { Meant, Said } from "./request-meaning.ts";
import {
  type Asker,
  checkCovered,
  isSignedBy,
  pathOf,
  type RequestProof,
  readSignature,
  requestKey,
  signatureBase,
} from "./request-signature.ts";

/** How old a signature may be, and how far ahead of this clock: together no more than the ledger remembers. */
export const REQUEST_AGE_S = { max: 55, ahead: 5 } as const;
/** Nonces whose request may be shown again; beyond it the one that came first is not. */
const AGAIN_MAX = 10_000;

export type ProofCheck = (
  home: SignerHome,
  asker: Pick<Asker, "tenant" | "subject" | "proof">,
  meant: Meant,
) => Promise<string>;

export class RequestProofs {
  readonly #clock: Clock;
  readonly #ledger: RateLedger;
  readonly #again = new Map<string, string>();

  constructor(clock: Clock, ledger: RateLedger) {
    this.#clock = clock;
    this.#ledger = ledger;
  }

  /**
   * What the audit is to keep of the signature, to follow its other words; empty where none is given and none needed.
   * Throws ProtocolError `forbidden` where one is needed, `malformed` or `unauthenticated` where it does not hold.
   */
  readonly check: ProofCheck = async ({ secrets }, { tenant, subject, proof }, meant) => {
    if (proof === undefined) {
      if (!(await secrets.requestsAreSigned())) return "";
      throw new ProtocolError(
        "forbidden",
        "request: this tenant demands that callers sign (RFC 9421), and this one did not",
      );
    }
    const read = readSignature(proof);
    checkCovered(proof, read);
    const base = signatureBase(proof, read);
    const key = await secrets.requestKey({ subject, keyId: read.keyId });
    if (key === undefined || !isSignedBy(requestKey(key), base, read)) {
      throw refused("does not verify under a key of this caller");
    }
    const nowS = this.#clock.wallMs() / 1000;
    if (read.created > nowS + REQUEST_AGE_S.ahead || read.created < nowS - REQUEST_AGE_S.max) {
      throw refused(`was not made within the last ${REQUEST_AGE_S.max} s`);
    }
    const isMeant =
      proof.method === meant.method &&
      pathOf(proof) === `/v1/tenants/${tenant}${meant.path}` &&
      meant.fits(bodyOf(proof), proof.idempotencyKey ?? "");
    if (!isMeant) throw refused("is of another request");
    await this.#once(nonceKey(tenant, subject, read.nonce), meant.again);
    return `; signed ${JSON.stringify({ base, signature: proof.signature })}`;
  };

  /** Throws ProtocolError `unauthenticated` where the nonce was used, unless for the same that may be shown once more. */
  async #once(nonce: string, again: string | undefined): Promise<void> {
    if (again !== undefined && this.#again.get(nonce) === again) {
      this.#again.delete(nonce);
      return;
    }
    const atMs = this.#clock.wallMs();
    const isNew = await this.#ledger.update(nonce, (before) => ({
      after: before ?? { level: 0, atMs },
      value: before === undefined,
    }));
    if (!isNew) throw refused("came before");
    if (again === undefined) return;
    this.#again.set(nonce, again);
    const [oldest] = this.#again.size > AGAIN_MAX ? this.#again.keys() : [];
    if (oldest !== undefined) this.#again.delete(oldest);
  }
}

/** The ledger names nobody, so the nonce is kept as a hash. */
function nonceKey(tenant: TenantId, subject: string, nonce: string): string {
  return `q ${toHex(sha256(utf8(JSON.stringify([tenant, subject, nonce]))))}`;
}

function bodyOf({ body }: RequestProof): Said {
  if (body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    if (typeof value === "object" && value !== null) return { ...value };
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  // What is no JSON object is not what the API took.
  throw refused("is of another request");
}

function refused(why: string): ProtocolError {
  return new ProtocolError("unauthenticated", `signed request: ${why}`);
}
