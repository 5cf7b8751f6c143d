/**
 * What is published for cars, as the signer signs it: on a caller's token and only above the version before; and signed
 * anew, without a token, for a car that trusts another of the tenant's artefact keys, where it was signed here before.
 */
import {
  type ArtefactKind,
  artefactCodec,
  type Caller,
  decode,
  KEY_PURPOSES,
  openSign1,
  ProtocolError,
  parseSign1,
  signArtefact,
  type TenantId,
  type TokenVerifier,
  type VehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { enrolled, type SignerHome } from "./home.ts";
import type { SignerAnswer, SignerRequest } from "./wire.ts";

const SCOPE = "artefacts:write";

export type PressParts = {
  readonly verifyToken: TokenVerifier;
  readonly home: (tenant: TenantId) => Promise<SignerHome>;
  /** Rejects with ProtocolError `limit_reached`. */
  readonly takeRate: (tenant: TenantId) => Promise<void>;
};
export type ArtefactOrder = {
  readonly kind: ArtefactKind;
  readonly name: string;
  readonly version: number;
  readonly contentHash: Uint8Array;
};
type Answered = Omit<SignerAnswer, "id">;

export class Press {
  readonly #parts: PressParts;

  constructor(parts: PressParts) {
    this.#parts = parts;
  }

  /** Undefined where nothing about artefacts was asked. Throws ProtocolError. */
  async answer(request: SignerRequest): Promise<Answered | undefined> {
    const { token, artefact, openTenant, listVehicle, manifest } = request;
    if (token !== undefined && artefact !== undefined) return this.#publish(token, artefact);
    if (token === undefined && openTenant !== undefined && manifest !== undefined) {
      if (listVehicle === undefined) return undefined;
      return this.#forCar(openTenant, listVehicle, manifest);
    }
    return undefined;
  }

  async #publish(token: string, order: ArtefactOrder): Promise<Answered> {
    const caller: Caller = await this.#parts.verifyToken(token);
    if (!caller.scopes.has(SCOPE)) {
      throw new ProtocolError("forbidden", "artefacts: the token has no scope for it");
    }
    const { tenant } = caller;
    await this.#parts.takeRate(tenant);
    const { store, secrets } = await this.#parts.home(tenant);
    const { kind, name, version } = order;
    const before = await store.artefact(kind, name);
    if (before !== undefined && before.version >= version) {
      throw new ProtocolError("conflict", `${kind} ${name}: is version ${before.version} already`);
    }
    const key = await secrets.key("artefact");
    await store.audit({
      actor: caller.subject,
      action: "signer.sign_artefact",
      subject: `artefact:${kind}/${name}`,
      outcome: "done",
      reason: `version ${version}`,
    });
    return { envelope: signArtefact(key, { tenant, ...order }) };
  }

  async #forCar(tenant: TenantId, id: VehicleId, manifest: Uint8Array): Promise<Answered> {
    const { store, secrets } = await this.#parts.home(tenant);
    await enrolled(store, id);
    const session = await store.session(id);
    const key = await secrets.key("artefact", session?.session.keyVersions?.artefact);
    const said = decode(artefactCodec, parseSign1(manifest).payload);
    for (const publicKey of await secrets.publicKeys("artefact")) {
      if (!isSignedBy(publicKey, manifest) || said.tenant !== tenant) continue;
      return { envelope: signArtefact(key, said) };
    }
    throw new ProtocolError("unauthenticated", "artefact: was not signed here");
  }
}

function isSignedBy(publicKey: Uint8Array, manifest: Uint8Array): boolean {
  try {
    const key = verifyKey(publicKey);
    openSign1(key, KEY_PURPOSES.artefact.domain, manifest);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
