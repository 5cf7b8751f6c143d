/**
 * The keys that callers sign with, as the signer shows them and takes them back: on a token that it verifies itself, and
 * where the tenant demands signatures only on a request that its caller signed. So whoever has taken over the API shuts
 * out nobody by it. No key is ever added here.
 */
import { ProtocolError, type TenantId, type TokenVerifier } from "@kerbside/protocol";
import type { SignerHome } from "./home.ts";
import type { RequestKeyOwner } from "./request-keys.ts";
import { revokeKeyMeant } from "./request-meaning.ts";
import type { RequestProofs } from "./request-proofs.ts";
import { type Asker, asker, type RequestProof } from "./request-signature.ts";
import type { SignerAnswer, SignerRequest } from "./wire.ts";

const SCOPES = { list: "request-keys:read", revoke: "request-keys:revoke" } as const;

export type KeyDeskParts = {
  readonly verifyToken: TokenVerifier;
  readonly proofs: RequestProofs;
  readonly home: (tenant: TenantId) => Promise<SignerHome>;
  /** Rejects with ProtocolError `limit_reached`. */
  readonly takeRate: (tenant: TenantId) => Promise<void>;
};
type Answered = Omit<SignerAnswer, "id">;

export class KeyDesk {
  readonly #parts: KeyDeskParts;

  constructor(parts: KeyDeskParts) {
    this.#parts = parts;
  }

  /** Undefined where nothing about keys of callers was asked. Throws ProtocolError. */
  async answer({
    token,
    listKeys,
    revokeKey,
    proof,
  }: SignerRequest): Promise<Answered | undefined> {
    if (token === undefined) return undefined;
    if (listKeys === true) return this.#list(token);
    if (revokeKey !== undefined) return this.#revoke(token, revokeKey, proof);
    return undefined;
  }

  async #caller(
    token: string,
    scope: string,
    proof?: RequestProof,
  ): Promise<{ readonly caller: Asker; readonly home: SignerHome }> {
    const caller = asker(await this.#parts.verifyToken(token), proof);
    if (!caller.scopes.has(scope)) {
      throw new ProtocolError("forbidden", "request keys: the token has no scope for it");
    }
    await this.#parts.takeRate(caller.tenant);
    return { caller, home: await this.#parts.home(caller.tenant) };
  }

  async #list(token: string): Promise<Answered> {
    const { secrets } = (await this.#caller(token, SCOPES.list)).home;
    return { keys: await secrets.requestKeys(), keysDemanded: await secrets.requestsAreSigned() };
  }

  async #revoke(
    token: string,
    of: RequestKeyOwner,
    proof: RequestProof | undefined,
  ): Promise<Answered> {
    const { caller, home } = await this.#caller(token, SCOPES.revoke, proof);
    const signed = await this.#parts.proofs.check(home, caller, revokeKeyMeant(of));
    const { secrets, store } = home;
    const isThis = (one: RequestKeyOwner): boolean =>
      one.subject === of.subject && one.keyId === of.keyId;
    const before = (await secrets.requestKeys()).find(isThis);
    if (before === undefined) {
      throw new ProtocolError("not_found", "request key: there is none such");
    }
    if (before.revoked) return { keys: [before] };
    const entry = {
      actor: caller.subject,
      action: "signer.revoke_request_key",
      subject: `client:${of.subject}`,
      reason: `${of.keyId}${signed}`,
    } as const;
    await store.audit({ ...entry, outcome: "asked" });
    await secrets.revokeRequestKey(of);
    await store.audit({ ...entry, outcome: "done" });
    return { keys: [{ ...before, revoked: true }] };
  }
}
