/**
 * Grants: what a booking lets a card or a phone do without coverage. Each change makes a new list of the car, which is
 * pushed at once where the car listens and again at each session until it confirms it; until then the API says so.
 */
import {
  type BookingRecord,
  credentialCodec,
  type Downlink,
  decode,
  encodePush,
  equalBytes,
  fromHex,
  type GrantListRecord,
  type GrantRecord,
  type Log,
  ProtocolError,
  type SessionRecord,
  type TenantId,
  type TenantStore,
  toHex,
  type VehicleId,
} from "@kerbside/protocol";
import { grantIdOf } from "./booking-rules.ts";
import type { CloudTenant } from "./cloud-tenant.ts";
import { Keyed } from "./keyed.ts";
import type { SignerClient } from "./signer/client.ts";
import type { Asker } from "./signer/request-signature.ts";
import type { GrantOrder } from "./signer/wire.ts";

export type GrantAsk = Omit<GrantOrder, "id" | "revoke"> & { readonly idempotencyKey: string };
export type GrantParts = {
  readonly tenant: (id: TenantId) => Promise<CloudTenant | undefined>;
  readonly signer: Pick<SignerClient, "sealGrant" | "carryGrant" | "grantList">;
  readonly downlink: Downlink;
  readonly log: Log;
};
/** `pending` and `revoking`: the car has not confirmed it. */
export type GrantState = "pending" | "active" | "revoking" | "revoked";

/** Where a grant stands, by the list that the car last confirmed. */
export function grantState(record: GrantRecord, session: SessionRecord | undefined): GrantState {
  const { state, listVersion } = record;
  const confirmed = session?.session.grantsVersion ?? 0;
  const reached = listVersion !== undefined && confirmed >= listVersion;
  if (state === "revoked") return reached ? "revoked" : "revoking";
  return reached ? "active" : "pending";
}

export class GrantService {
  readonly #parts: GrantParts;
  readonly #keyed = new Keyed();

  constructor(parts: GrantParts) {
    this.#parts = parts;
  }

  /** Idempotent by caller and key. Throws ProtocolError `not_found`, `forbidden`, `malformed` or `conflict`. */
  async create(caller: Asker, ask: GrantAsk): Promise<GrantRecord> {
    const { idempotencyKey, ...order } = ask;
    const store = await this.#store(caller.tenant);
    const id = grantIdOf(caller.tenant, caller.subject, idempotencyKey);
    const existing = await store.grant(toHex(id));
    if (existing !== undefined) {
      if (isOf(existing, order)) return existing;
      throw new ProtocolError("conflict", "Idempotency-Key: was used for another grant");
    }
    const sealing = { ...order, id, revoke: false };
    const record = await this.#parts.signer.sealGrant(caller.token, sealing, caller.proof);
    return this.#put(store, caller, record, "grant.create");
  }

  /** Idempotent. It takes effect in the car once that confirms a list without it. */
  async revoke(caller: Asker, grant: string): Promise<GrantRecord> {
    const store = await this.#store(caller.tenant);
    const current = await store.grant(grant);
    if (current === undefined) throw new ProtocolError("not_found", "grant: there is none such");
    if (current.state === "revoked") return current;
    const order = { id: fromHex(grant), booking: current.booking, revoke: true, actions: [] };
    const record = await this.#parts.signer.sealGrant(caller.token, order, caller.proof);
    return this.#put(store, caller, record, "grant.revoke");
  }

  carry(caller: Asker, grant: string): Promise<Uint8Array> {
    return this.#parts.signer.carryGrant(caller.token, fromHex(grant), caller.proof);
  }

  /** After a change of a booking: what follows from it for its car. Never rejects. */
  async bookingChanged(tenant: TenantId, { vehicle }: BookingRecord): Promise<void> {
    await this.refresh(tenant, vehicle);
  }

  /** Makes a new list where one is due, and pushes it. Never rejects: the next session does it again. */
  async refresh(tenant: TenantId, vehicle: VehicleId): Promise<void> {
    try {
      await this.#keyed.run(`${tenant} ${vehicle}`, async () => {
        const made = await this.#renew(tenant, vehicle);
        if (made !== undefined) await this.#push(tenant, made);
      });
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : "bug";
      if (code !== "vehicle_offline") this.#parts.log.warn("grants.not_pushed", { code });
    }
  }

  /** At a car's announcement: a list that it has not confirmed is pushed again. Never rejects. */
  async announced(tenant: TenantId, { vehicle, session }: SessionRecord): Promise<void> {
    const { grantsVersion } = session;
    if (grantsVersion === undefined) return;
    try {
      await this.#keyed.run(`${tenant} ${vehicle}`, async () => {
        const made = await this.#renew(tenant, vehicle);
        const newest = made ?? (await (await this.#store(tenant)).grantList(vehicle));
        if (newest !== undefined && newest.version > grantsVersion)
          await this.#push(tenant, newest);
      });
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : "bug";
      this.#parts.log.warn("grants.not_pushed", { code });
    }
  }

  async close(): Promise<void> {
    await this.#keyed.idle();
  }

  async #renew(tenant: TenantId, vehicle: VehicleId): Promise<GrantListRecord | undefined> {
    const store = await this.#store(tenant);
    // Asked only where there is something to tell: most cars have no grants.
    const any = (await store.grants(vehicle)).length > 0;
    if (!any && (await store.grantList(vehicle)) === undefined) return undefined;
    const made = await this.#parts.signer.grantList(tenant, vehicle);
    if (made === undefined) return undefined;
    await store.putGrantList(made, {
      actor: "kerbside",
      action: "grants.list",
      subject: `vehicle:${vehicle}`,
      outcome: "done",
      reason: `version ${made.version}`,
    });
    return made;
  }

  #push(tenant: TenantId, { vehicle, sealed }: GrantListRecord): Promise<void> {
    const message = encodePush({ kind: "grants", sealed });
    return this.#parts.downlink.send({ tenant, vehicle }, "artefact", message);
  }

  async #put(
    store: TenantStore,
    caller: Asker,
    record: GrantRecord,
    action: string,
  ): Promise<GrantRecord> {
    await store.putGrant(record, {
      actor: caller.subject,
      action,
      subject: `grant:${record.grant}`,
      outcome: "done",
      reason: `booking ${record.booking}`,
    });
    await this.refresh(caller.tenant, record.vehicle);
    return (await store.grant(record.grant)) ?? record;
  }

  async #store(tenant: TenantId): Promise<TenantStore> {
    const found = await this.#parts.tenant(tenant);
    if (found === undefined) throw new ProtocolError("not_found", "tenant: there is none such");
    return found.store;
  }
}

/**
 * Whether it was asked for like this. Of a card its number and PIN are not looked at, of which only the signer keeps a
 * keyed hash; one whose key was destroyed with its booking's is taken for the same.
 */
function isOf(
  { booking, actions, credential }: GrantRecord,
  { booking: asked, actions: wanted, phone, card }: Omit<GrantAsk, "idempotencyKey">,
): boolean {
  if (booking !== asked || actions.join() !== wanted.join()) return false;
  if (credential.length === 0) return true;
  const { phone: known, card: given } = decode(credentialCodec, credential);
  const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
    a === undefined || b === undefined ? a === b : equalBytes(a, b);
  return (
    sameBytes(known?.publicKey, phone) &&
    given?.proof === card?.proof &&
    given?.uidRule === card?.uidRule &&
    sameBytes(given?.key, card?.key)
  );
}
