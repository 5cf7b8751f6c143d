/**
 * Grants as the signer makes them: on a caller's token and a booking that it has verified, sealed by its MAC; and the
 * lists of cars, made from such records alone. So a database that somebody else wrote to puts nobody into a car.
 */
import {
  type BookingRecord,
  CARRIED_GRANT_MS_MAX,
  type Clock,
  type Credential,
  cardIdOf,
  credentialCodec,
  decode,
  encode,
  encodeCbor,
  equalBytes,
  fromHex,
  GRANTS_MAX,
  type Grant,
  type GrantRecord,
  grantCodec,
  openSession,
  PIN_SALT_BYTES,
  ProtocolError,
  pinHash,
  randomBytes,
  sealGrantList,
  sha256,
  signCarriedGrant,
  signGrantList,
  type TenantId,
  type TokenVerifier,
  toHex,
  type VehicleId,
  type VehicleRecord,
  verifyKey,
} from "@kerbside/protocol";
import { enrolled, type SignerHome } from "./home.ts";
import type { SignerMemory } from "./memory.ts";
import { checkGrantMac, type GrantFields, macGrant } from "./records.ts";
import { carryMeant, grantMeant } from "./request-meaning.ts";
import type { RequestProofs } from "./request-proofs.ts";
import { type Asker, asker, type RequestProof } from "./request-signature.ts";
import type { CardOrder, GrantOrder, SignerAnswer, SignerRequest } from "./wire.ts";

/** The scope that gives and takes back rights: whoever may book for a person may say with what they open. */
const SCOPE = "bookings:write";

export type GrantDeskParts = {
  readonly verifyToken: TokenVerifier;
  readonly clock: Clock;
  readonly proofs: RequestProofs;
  readonly home: (tenant: TenantId) => Promise<SignerHome>;
  /** A booking whose MAC verified. Throws ProtocolError. */
  readonly booking: (home: SignerHome, tenant: TenantId, id: string) => Promise<BookingRecord>;
  readonly memory: SignerMemory;
  /** Rejects with ProtocolError `limit_reached`. */
  readonly takeRate: (tenant: TenantId) => Promise<void>;
};
type Answered = Omit<SignerAnswer, "id">;

export class GrantDesk {
  readonly #parts: GrantDeskParts;

  constructor(parts: GrantDeskParts) {
    this.#parts = parts;
  }

  /** Undefined where nothing about grants was asked. Throws ProtocolError. */
  async answer(request: SignerRequest): Promise<Answered | undefined> {
    const { token, grant, carry, openTenant, listVehicle } = request;
    if (token !== undefined && grant !== undefined) return this.#grant(token, grant, request.proof);
    if (token !== undefined && carry !== undefined) return this.#carry(token, carry, request.proof);
    if (request.manifest !== undefined) return undefined;
    if (token === undefined && openTenant !== undefined && listVehicle !== undefined) {
      return this.#list(openTenant, listVehicle);
    }
    return undefined;
  }

  async #caller(token: string, proof: RequestProof | undefined): Promise<Asker> {
    const caller = asker(await this.#parts.verifyToken(token), proof);
    if (!caller.scopes.has(SCOPE)) {
      throw new ProtocolError("forbidden", "grants: the token has no scope for it");
    }
    await this.#parts.takeRate(caller.tenant);
    return caller;
  }

  async #grant(
    token: string,
    order: GrantOrder,
    proof: RequestProof | undefined,
  ): Promise<Answered> {
    const caller = await this.#caller(token, proof);
    const home = await this.#parts.home(caller.tenant);
    const booking = await this.#parts.booking(home, caller.tenant, order.booking);
    const fields = order.revoke
      ? await revoked(home, caller.tenant, order)
      : await this.#made(home, booking, order);
    const signed = await this.#parts.proofs.check(home, caller, grantMeant(caller, order));
    const mac = await macGrant(home.secrets, caller.tenant, fields);
    if (order.revoke) {
      await this.#parts.memory.revokeGrant(caller.tenant, fields.grant, booking.toMs);
    }
    await home.store.audit({
      actor: caller.subject,
      action: order.revoke ? "signer.revoke_grant" : "signer.seal_grant",
      subject: `grant:${fields.grant}`,
      outcome: "done",
      reason: `booking ${fields.booking}, version ${fields.version}${signed}`,
    });
    const { grant: _, ...rest } = fields;
    return { grant: { id: order.id, ...rest }, mac };
  }

  async #made(home: SignerHome, booking: BookingRecord, order: GrantOrder): Promise<GrantFields> {
    const { state, toMs, vehicle } = booking;
    const nowMs = this.#parts.clock.wallMs();
    if ((state !== "reserved" && state !== "open") || toMs <= nowMs) {
      throw new ProtocolError("forbidden", `booking: is ${state} or over, which gives no grant`);
    }
    if ((order.phone === undefined) === (order.card === undefined)) {
      throw new ProtocolError("malformed", "grant: expected one of phone and card");
    }
    if (order.actions.length === 0) throw new ProtocolError("malformed", "grant: allows nothing");
    await enrolled(home.store, vehicle);
    const credential: Credential =
      order.card === undefined
        ? { phone: { publicKey: order.phone ?? new Uint8Array() } }
        : { card: await cardOf(home, vehicle, order.card) };
    return {
      grant: toHex(order.id),
      booking: booking.booking,
      vehicle,
      credential: encode(credentialCodec, credential),
      actions: order.actions,
      state: "active",
      version: 1,
    };
  }

  /** What a phone carries to a car that has been away since before its booking. */
  async #carry(token: string, id: Uint8Array, proof: RequestProof | undefined): Promise<Answered> {
    const caller = await this.#caller(token, proof);
    const { tenant } = caller;
    const home = await this.#parts.home(tenant);
    const { vehicle: at } = await believed(home, tenant, toHex(id));
    const vehicle = await enrolled(home.store, at);
    // Before its record: a list that takes it away while this goes on is above what it names, and the car refuses it.
    const listVersion = Math.max(
      (await home.store.grantList(at))?.version ?? 0,
      await announced(home, tenant, vehicle),
    );
    const record = await believed(home, tenant, toHex(id));
    const booking = await this.#parts.booking(home, tenant, record.booking);
    const nowMs = this.#parts.clock.wallMs();
    const grant = grantOf(record, booking);
    const revoked = await this.#parts.memory.isRevoked(tenant, record.grant);
    const alive = !revoked && isListed(record, booking) && booking.toMs > nowMs;
    if (grant?.phone === undefined || !alive) {
      throw new ProtocolError("forbidden", "grant: expected a phone's that is in force");
    }
    const session = await home.store.session(record.vehicle);
    const key = await home.secrets.key("grant", session?.session.keyVersions?.grant);
    const signed = await this.#parts.proofs.check(home, caller, carryMeant(id));
    await home.store.audit({
      actor: caller.subject,
      action: "signer.carry_grant",
      subject: `grant:${record.grant}`,
      outcome: "done",
      reason: `booking ${record.booking}${signed}`,
    });
    const toMs = Math.min(grant.toMs, nowMs + CARRIED_GRANT_MS_MAX);
    if (toMs <= grant.fromMs) {
      throw new ProtocolError("forbidden", "grant: begins more than 24 hours from now");
    }
    const envelope = signCarriedGrant(key, {
      tenant,
      vehicle: record.vehicle,
      listVersion,
      issuedAtMs: nowMs,
      grant: { ...grant, toMs },
    });
    return { envelope };
  }

  /** The list as it should be now; nothing where the newest one says just that. */
  async #list(tenant: TenantId, id: VehicleId): Promise<Answered> {
    const home = await this.#parts.home(tenant);
    const { store, secrets } = home;
    const vehicle = await enrolled(store, id);
    const current = await store.grantList(id);
    const records = await store.grants(id);
    const grants = await this.#listed(home, tenant, records);
    const digest = sha256(encodeCbor(grants.map((grant) => encode(grantCodec, grant))));
    const before = new Set(current?.grants);
    const after = new Set(grants.map((grant) => toHex(grant.id)));
    const changed = records
      .filter((r) => r.listVersion === undefined || before.has(r.grant) !== after.has(r.grant))
      .map((r) => r.grant);
    const seen = await announced(home, tenant, vehicle);
    const known = current?.version ?? 0;
    const same = current === undefined ? grants.length === 0 : equalBytes(digest, current.digest);
    // A car that has a higher version than the store met another memory of this cloud: it is told anew.
    if (same && changed.length === 0 && seen <= known) return {};
    const version = Math.max(known, seen) + 1;
    const session = await store.session(id);
    const key = await secrets.key("grant", session?.session.keyVersions?.grant);
    const envelope = signGrantList(key, {
      tenant,
      vehicle: id,
      version,
      issuedAtMs: this.#parts.clock.wallMs(),
      cardIdKey: await secrets.cardIdKey(id),
      grants,
    });
    await store.audit({
      actor: "kerbside",
      action: "signer.sign_grant_list",
      subject: `vehicle:${id}`,
      outcome: "done",
      reason: `version ${version}, ${grants.length} grants`,
    });
    const sealed = sealGrantList(vehicle.signingKey, envelope);
    return {
      list: {
        version,
        digest,
        grants: [...after].map(fromHex),
        changed: changed.map(fromHex),
        sealed,
      },
    };
  }

  /** What does not verify is left out: nobody is let in by it, and everybody else is not kept out. */
  async #listed(
    home: SignerHome,
    tenant: TenantId,
    records: readonly GrantRecord[],
  ): Promise<readonly Grant[]> {
    const nowMs = this.#parts.clock.wallMs();
    const grants: Grant[] = [];
    for (const record of records) {
      try {
        await checkGrantMac(home.secrets, tenant, record);
        const booking = await this.#parts.booking(home, tenant, record.booking);
        const alive =
          isListed(record, booking) && !(await this.#parts.memory.isRevoked(tenant, record.grant));
        const grant = alive ? grantOf(record, booking) : undefined;
        const over = booking.state === "reserved" && booking.toMs <= nowMs;
        if (grant !== undefined && !over) grants.push(grant);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }
    // The bound is the car's; what begins last can wait for the next list.
    return grants.sort((a, b) => a.fromMs - b.fromMs).slice(0, GRANTS_MAX);
  }
}

function isListed(record: GrantRecord, { state, vehicle }: BookingRecord): boolean {
  const alive = state === "reserved" || state === "open";
  return record.state === "active" && alive && vehicle === record.vehicle;
}

function grantOf(record: GrantRecord, booking: BookingRecord): Grant | undefined {
  if (record.credential.length === 0) return undefined;
  const { phone, card } = decode(credentialCodec, record.credential);
  return {
    id: fromHex(record.grant),
    booking: record.booking,
    ...(phone === undefined ? {} : { phone }),
    ...(card === undefined ? {} : { card }),
    actions: record.actions,
    fromMs: booking.fromMs,
    toMs: booking.toMs,
  };
}

async function believed(
  { store, secrets }: SignerHome,
  tenant: TenantId,
  id: string,
): Promise<GrantRecord> {
  const record = await store.grant(id);
  if (record === undefined) throw new ProtocolError("not_found", "grant: there is none such");
  await checkGrantMac(secrets, tenant, record);
  return record;
}

async function revoked(
  home: SignerHome,
  tenant: TenantId,
  { id, booking }: GrantOrder,
): Promise<GrantFields> {
  const { mac: _, listVersion: __, ...fields } = await believed(home, tenant, toHex(id));
  if (fields.booking !== booking) {
    throw new ProtocolError("not_found", "grant: there is none such");
  }
  return { ...fields, state: "revoked", version: fields.version + 1 };
}

async function cardOf(
  { secrets }: SignerHome,
  vehicle: VehicleId,
  { uid, pin, ...card }: CardOrder,
): Promise<NonNullable<Credential["card"]>> {
  if ((card.proof === "keyed") !== (card.key !== undefined)) {
    throw new ProtocolError("malformed", "card: expected a key with a keyed card and no other");
  }
  if (card.uidRule === "with_pin" && pin === undefined) {
    throw new ProtocolError("malformed", "card: expected a PIN where one is asked for");
  }
  const salt = randomBytes(PIN_SALT_BYTES);
  return {
    ...card,
    cardId: cardIdOf(await secrets.cardIdKey(vehicle), uid),
    ...(pin === undefined ? {} : { pin: { salt, hash: pinHash(pin, salt) } }),
  };
}

/** The version that the car itself said it has, by its own signature; 0 for none. */
async function announced(
  { store }: SignerHome,
  tenant: TenantId,
  vehicle: VehicleRecord,
): Promise<number> {
  const record = await store.session(vehicle.vehicle);
  if (record === undefined) return 0;
  const session = openSession(verifyKey(vehicle.signingKey), record.envelope);
  const own = session.tenant === tenant && session.vehicle === vehicle.vehicle;
  return own ? (session.grantsVersion ?? 0) : 0;
}
