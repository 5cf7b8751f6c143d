/**
 * What the signer does with a request. It believes nobody: it verifies the caller's token, the booking's MAC and
 * version, and the car's announcement itself, and writes the audit before it hands anything out.
 */
import {
  ACTION_DOMAIN,
  type AuditEntry,
  type BookingRecord,
  type Clock,
  type CommandRecord,
  decode,
  ProtocolError,
  parseSign1,
  requestHashOf,
  type SessionAnnouncement,
  sessionCodec,
  signCommand,
  signTime,
  type TenantId,
  type TenantStore,
  type TokenVerifier,
  toHex,
  type Vault,
  type VehicleRecord,
} from "@kerbside/protocol";
import {
  type BookingFields,
  checkBooking,
  checkBookingMove,
  checkExtras,
  checkNewBooking,
  checkScopes,
} from "../booking-rules.ts";
import { lifeOf, next } from "../life-cycle.ts";
import { COMMAND_LIFE_MS_DEFAULT, expiryOnSessionClock } from "../session-clock.ts";
import { VerifiedCars } from "../verified.ts";
import { GrantDesk } from "./grant-desk.ts";
import { enrolled, type SignerHome } from "./home.ts";
import { KeyDesk } from "./key-desk.ts";
import { memoryNotes, type NoteLedger, SignerMemory } from "./memory.ts";
import { commandSealer, type MoveParts, movedByCar } from "./moves.ts";
import { Press } from "./press.ts";
import { memoryLedger, type RateLedger, Rates, SIGNER_RATES, type SignerRates } from "./rate.ts";
import { checkBookingMac, macBooking } from "./records.ts";
import { bookingMeant, commandMeant } from "./request-meaning.ts";
import { RequestProofs } from "./request-proofs.ts";
import { asker, type RequestProof } from "./request-signature.ts";
import { SignerSecrets } from "./secrets.ts";
import type { CommandOrder, SignerAnswer, SignerRequest } from "./wire.ts";

/** A tenant as the signer sees it: its store, the vault that only the signer opens, and which keys were taken back. */
export type SignerTenant = {
  readonly store: TenantStore;
  readonly vault: Vault;
  readonly revoked: Vault;
};
export type SignerParts = {
  readonly tenant: (id: TenantId) => Promise<SignerTenant | undefined>;
  readonly verifyToken: TokenVerifier;
  readonly clock: Clock;
  /** How long a signed command lives; at most 30 s. */
  readonly commandLifeMs?: number;
  readonly rates?: SignerRates;
  /** Where rates, used nonces and what may not come back are kept; without it in memory. */
  readonly ledger?: RateLedger & NoteLedger;
  /** How far this machine's clock may be off. */
  readonly timeDoubtMs?: number;
};

/** What a server that keeps its clock by NTP stays within, with much to spare. */
const TIME_DOUBT_MS = 1000;
/** How often a command that is to be signed is looked for again, and how long after each look if nothing is said. */
const RECORD_LOOKS_MAX = 20;
const RECORD_LOOK_MS = 10;

export class Signer {
  readonly #parts: SignerParts;
  readonly #rates: Rates;
  readonly #limits: SignerRates;
  readonly #memory: SignerMemory;
  readonly #secrets = new WeakMap<Vault, SignerSecrets>();
  readonly #cars = new VerifiedCars();
  readonly #grants: GrantDesk;
  readonly #press: Press;
  readonly #keys: KeyDesk;
  readonly #proofs: RequestProofs;
  readonly #moves: MoveParts;

  constructor(parts: SignerParts) {
    this.#parts = parts;
    const ledger = parts.ledger ?? { ...memoryLedger(), ...memoryNotes() };
    this.#memory = new SignerMemory(parts.clock, ledger);
    this.#rates = new Rates(parts.clock, ledger);
    this.#proofs = new RequestProofs(parts.clock, ledger);
    this.#limits = parts.rates ?? SIGNER_RATES;
    const desk = {
      verifyToken: parts.verifyToken,
      home: (id: TenantId) => this.#tenant(id),
      takeRate: (tenant: TenantId) => this.#rates.take(`t ${tenant}`, this.#limits.tenant),
    };
    this.#press = new Press(desk);
    this.#keys = new KeyDesk({ ...desk, proofs: this.#proofs });
    const known: MoveParts = {
      cars: this.#cars,
      clock: parts.clock,
      memory: this.#memory,
      booking: (home, tenant, id) => this.#booking(home, tenant, id),
    };
    this.#moves = known;
    this.#grants = new GrantDesk({ ...desk, ...known, proofs: this.#proofs });
  }

  /**
   * Throws ProtocolError; what is thrown otherwise is a fault of ours. `recorded` resolves when whoever asks says that
   * the command to sign is recorded now, which is not believed, only looked for then; or, with false, that it will not be.
   */
  async answer(request: SignerRequest, recorded?: Promise<boolean>): Promise<SignerAnswer> {
    const { id, token, seal, sign, openTenant, openResult: result } = request;
    if (token !== undefined && seal !== undefined && sign === undefined) {
      return { id, mac: await this.#seal(token, seal, request.proof) };
    }
    if (token !== undefined && sign !== undefined && seal === undefined) {
      return { id, ...(await this.#sign(token, sign, request.proof, recorded)) };
    }
    if (openTenant !== undefined && result !== undefined && token === undefined) {
      const home = await this.#tenant(openTenant);
      return { id, ...(await movedByCar(this.#moves, home, openTenant, result)) };
    }
    if (openTenant !== undefined && request.session !== undefined && token === undefined) {
      return { id, envelope: await this.#time(openTenant, request.session) };
    }
    const answered =
      (await this.#press.answer(request)) ??
      (await this.#keys.answer(request)) ??
      (await this.#grants.answer(request));
    if (answered !== undefined) return { id, ...answered };
    throw new ProtocolError("malformed", "signer: expected one thing to be asked");
  }

  async #tenant(id: TenantId): Promise<SignerHome> {
    const tenant = await this.#parts.tenant(id);
    if (tenant === undefined) throw new ProtocolError("not_found", "tenant: there is none such");
    let secrets = this.#secrets.get(tenant.vault);
    if (secrets === undefined) {
      secrets = new SignerSecrets(tenant.vault, tenant.revoked, this.#parts.clock);
      this.#secrets.set(tenant.vault, secrets);
    }
    return { store: tenant.store, secrets };
  }

  /** What time it is, bound to the nonce of an announcement that the car signed. */
  async #time(tenant: TenantId, envelope: Uint8Array): Promise<Uint8Array> {
    const { store, secrets } = await this.#tenant(tenant);
    const named = decode(sessionCodec, parseSign1(envelope).payload);
    const vehicle = await enrolled(store, named.vehicle);
    const session = this.#cars.session(vehicle, envelope);
    if (session.tenant !== tenant) {
      throw new ProtocolError("unauthenticated", "session: was announced to another tenant");
    }
    await this.#rates.take(`n ${tenant} ${session.vehicle}`, this.#limits.vehicle);
    await this.#memory.heard(tenant, vehicle, session, this.#parts.clock.wallMs());
    const key = await secrets.key("time", session.keyVersions?.time);
    return signTime(key, {
      tenant,
      vehicle: session.vehicle,
      epoch: session.epoch,
      nonce: session.timeNonce,
      wallMs: this.#parts.clock.wallMs(),
      doubtMs: this.#parts.timeDoubtMs ?? TIME_DOUBT_MS,
    });
  }

  async #seal(
    token: string,
    fields: BookingFields,
    proof: RequestProof | undefined,
  ): Promise<Uint8Array> {
    const caller = asker(await this.#parts.verifyToken(token), proof);
    if (!caller.scopes.has("bookings:write")) {
      throw new ProtocolError("forbidden", "bookings: the token has no scope for it");
    }
    await this.#rates.take(`t ${caller.tenant}`, this.#limits.tenant);
    const home = await this.#tenant(caller.tenant);
    const { store, secrets } = home;
    const nowMs = this.#parts.clock.wallMs();
    const current = await store.booking(fields.booking);
    if (current === undefined) {
      await enrolled(store, fields.vehicle);
      checkNewBooking(fields, nowMs);
    } else {
      await this.#believe(secrets, caller.tenant, current);
      checkBookingMove(current, fields, nowMs);
    }
    const signed = await this.#proofs.check(home, caller, bookingMeant(caller, current, fields));
    const mac = await macBooking(secrets, caller.tenant, fields);
    await this.#memory.endBooking(caller.tenant, fields);
    await store.audit({
      actor: caller.subject,
      action: "signer.seal_booking",
      subject: `booking:${fields.booking}`,
      outcome: "done",
      reason: `${fields.state}, version ${fields.version}${signed}`,
    });
    return mac;
  }

  async #sign(
    token: string,
    order: CommandOrder,
    proof: RequestProof | undefined,
    recorded: Promise<boolean> | undefined,
  ): Promise<Required<Pick<SignerAnswer, "envelope" | "requestHash" | "epoch">>> {
    const caller = asker(await this.#parts.verifyToken(token), proof);
    const { action, armMs, target } = order;
    checkScopes(caller.scopes, action, order.booking !== undefined);
    checkExtras(action, { armMs, hasTarget: target !== undefined });
    const home = await this.#tenant(caller.tenant);
    const { store, secrets } = home;
    // All that does not need the record comes first: the API may be writing it at this moment.
    const [fleet, car] = [`t ${caller.tenant}`, `v ${caller.tenant} ${order.vehicle}`];
    await this.#rates.take(fleet, this.#limits.tenant);
    await this.#rates.take(car, this.#limits.vehicle);
    const vehicle = await enrolled(store, order.vehicle);
    const announced = this.#session(store, caller.tenant, vehicle);
    announced.catch(() => undefined);
    const record = await this.#recorded(store, order, recorded).catch((error: unknown) => {
      for (const key of [fleet, car]) this.#rates.giveBack(key);
      throw error;
    });
    const session = await announced;
    const nowMs = this.#parts.clock.wallMs();
    if (order.booking !== undefined) {
      const booking = await this.#booking(home, caller.tenant, order.booking);
      checkBooking(booking, { vehicle: order.vehicle, action, nowMs });
    }
    if (target !== undefined) await checkTarget(store, order, target);
    const signed = await this.#proofs.check(home, caller, commandMeant(order, record));
    const lifeMs = this.#parts.commandLifeMs ?? COMMAND_LIFE_MS_DEFAULT;
    const key = await secrets.key("command", session.keyVersions?.command);
    const seal = await commandSealer(secrets, caller.tenant, record);
    const audit: AuditEntry = {
      actor: caller.subject,
      action: "signer.sign_command",
      subject: `command:${toHex(order.id)}`,
      outcome: "done",
      reason: `${action} ${order.vehicle}${signed}`,
    };
    const sign = (counter: number): Uint8Array =>
      signCommand(key, {
        id: order.id,
        tenant: caller.tenant,
        vehicle: order.vehicle,
        domain: ACTION_DOMAIN[action],
        action,
        ...(order.booking === undefined ? {} : { booking: order.booking }),
        epoch: session.epoch,
        counter,
        expiresAtMs: expiryOnSessionClock(session, nowMs, lifeMs),
        ...(armMs === undefined ? {} : { waitMs: armMs }),
        ...(target === undefined ? {} : { target }),
      });
    // Signed within the commit of its record, and handed out after it.
    let envelope: Uint8Array = new Uint8Array();
    await store.signCommand(toHex(order.id), audit, (counter) => {
      envelope = sign(counter);
      const requestHash = requestHashOf(envelope);
      return { requestHash, requestSeal: seal(requestHash) };
    });
    return { envelope, requestHash: requestHashOf(envelope), epoch: session.epoch };
  }

  /** Only what is recorded as asked is signed. The API records it while the token is checked, and may be a little later. */
  async #recorded(
    store: TenantStore,
    order: CommandOrder,
    recorded: Promise<boolean> | undefined,
  ): Promise<CommandRecord> {
    for (let looks = 0; ; looks += 1) {
      const record = await store.command(toHex(order.id));
      if (record !== undefined) {
        checkRecorded(record, order);
        return record;
      }
      if (looks === RECORD_LOOKS_MAX || !(await this.#mayCome(recorded))) {
        throw new ProtocolError("not_found", "command: none such is recorded");
      }
    }
  }

  /** Resolves when the API says that it has recorded it, or after a while; with false where it says that it will not. */
  async #mayCome(recorded: Promise<boolean> | undefined): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = this.#parts.clock.after(RECORD_LOOK_MS, () => late.resolve(true));
    const may = await Promise.race([recorded ?? late.promise, late.promise]);
    timer.cancel();
    return may;
  }

  /** One that verifies, and that was not put back after its end. Throws ProtocolError. */
  async #booking(
    { store, secrets }: SignerHome,
    tenant: TenantId,
    id: string,
  ): Promise<BookingRecord> {
    const record = await store.booking(id);
    if (record === undefined) throw new ProtocolError("not_found", "booking: there is none such");
    await this.#believe(secrets, tenant, record);
    await this.#memory.checkNotEnded(tenant, record);
    return record;
  }

  /** Throws ProtocolError `unauthenticated` unless the MAC verifies and no newer version was ever seen here. */
  async #believe(secrets: SignerSecrets, tenant: TenantId, record: BookingRecord): Promise<void> {
    await checkBookingMac(secrets, tenant, record);
    await this.#memory.believeBooking(tenant, record);
  }

  /** The newest announcement, verified here, with the moment it arrived. */
  async #session(
    store: TenantStore,
    tenant: TenantId,
    vehicle: VehicleRecord,
  ): Promise<SessionAnnouncement & { readonly receivedAtMs: number }> {
    const record = await store.session(vehicle.vehicle);
    if (record === undefined) {
      throw new ProtocolError("vehicle_offline", "vehicle: has not announced a session");
    }
    const session = this.#cars.session(vehicle, record.envelope);
    if (session.tenant !== tenant || session.vehicle !== vehicle.vehicle) {
      throw new ProtocolError("unauthenticated", "session: was announced by another vehicle");
    }
    const atMs = await this.#memory.heard(tenant, vehicle, session, record.receivedAtMs);
    return { ...session, receivedAtMs: atMs };
  }
}

/** Just what was asked, and not more often than a command may be signed. Throws ProtocolError `conflict`. */
function checkRecorded(record: CommandRecord, order: CommandOrder): void {
  const same =
    record.vehicle === order.vehicle &&
    record.action === order.action &&
    record.booking === order.booking;
  if (!same) throw new ProtocolError("conflict", "command: another one was asked under this id");
  const step = next(lifeOf(record), { kind: "signed", requestHash: new Uint8Array() });
  if (step.kind !== "step") {
    const why = step.kind === "ignore" ? step.why : "cannot be signed";
    throw new ProtocolError("conflict", `command: ${why}`);
  }
}

/** A caller with a booking cancels what was asked for that booking, and nobody what was asked of another car. */
async function checkTarget(
  store: TenantStore,
  order: CommandOrder,
  target: Uint8Array,
): Promise<void> {
  const armed = await store.command(toHex(target));
  const fits =
    armed?.vehicle === order.vehicle &&
    (order.booking === undefined || armed.booking === order.booking);
  if (!fits) throw new ProtocolError("not_found", "cancel: there is no such command");
}
