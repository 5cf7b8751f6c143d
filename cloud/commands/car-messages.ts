/**
 * What a car says besides its events: that it begins a session, that it is gone, what became of a command. Everything
 * signed is verified under the key enrolled for that car; what does not verify is kept aside and changes nothing.
 */
import {
  type Address,
  type Clock,
  equalBytes,
  type Log,
  openResult,
  openSession,
  ProtocolError,
  parseGone,
  type QuarantineEntry,
  type SessionAnnouncement,
  type SessionRecord,
  type SourceMessage,
  type TenantId,
  type TenantStore,
  topicOf,
  type VehicleRecord,
  verifyKey,
} from "@kerbside/protocol";
import type { CloudTenant } from "./cloud-tenant.ts";
import { Keyed } from "./keyed.ts";
import type { CommandService } from "./service.ts";
import { VerifiedCars } from "./verified.ts";

export type CarMessageParts = {
  readonly tenant: (id: SourceMessage["topic"]["tenant"]) => Promise<CloudTenant | undefined>;
  readonly commands: CommandService;
  readonly clock: Clock;
  readonly log: Log;
  /** Keeps what does not verify, within bounds of the car and of its tenant. */
  readonly putAside: (
    store: Pick<TenantStore, "quarantine">,
    car: Address,
    entry: QuarantineEntry,
  ) => Promise<unknown>;
  /** What follows from a new announcement: time, keys, grants. Never rejects, and nobody waits for it. */
  readonly announced?: (tenant: TenantId, session: SessionRecord) => Promise<void>;
};

/**
 * The handler of the channels `session`, `gone` and `result`. Messages of one car are taken in the order they came.
 * Resolves once the store has what matters, or has put the message aside; rejects where the store failed.
 */
export function carMessageHandler(
  parts: CarMessageParts,
): (message: SourceMessage) => Promise<void> {
  const keyed = new Keyed();
  const cars = new VerifiedCars();
  return (message) => {
    const { tenant, vehicle } = message.topic;
    return keyed.run(`${tenant} ${vehicle}`, () => handle({ ...parts, cars }, message));
  };
}

type Parts = CarMessageParts & { readonly cars: VerifiedCars };

async function handle(parts: Parts, message: SourceMessage): Promise<void> {
  const { topic, payload, certificate } = message;
  const store = (await parts.tenant(topic.tenant))?.store;
  if (store === undefined) {
    parts.log.warn("car.unknown_tenant", { channel: topic.channel });
    return;
  }
  const aside = async (reason: string): Promise<void> => {
    parts.log.warn("car.put_aside", { channel: topic.channel, reason });
    const name = topic.channel === "up" ? topic.channel : topicOf(topic, topic.channel);
    const { tenant, vehicle } = topic;
    await parts.putAside(store, { tenant, vehicle }, { reason, topic: name, payload });
  };
  const vehicle = await store.vehicle(topic.vehicle);
  // Not kept, as on `up`: it may be in a thief's hands.
  if (vehicle === undefined || vehicle.revokedAtMs !== undefined) {
    parts.log.warn("car.dropped", { channel: topic.channel });
    return;
  }
  const own = certificate === undefined || sameCar(certificate, topic);
  if (!own) return aside("the certificate is another car's");
  try {
    switch (topic.channel) {
      case "session":
        return await takeSession(parts, store, vehicle, message);
      case "result":
        return await takeResult(parts, vehicle, message, aside);
      case "gone":
        await takeGone(store, message);
        return;
      case "up":
      case "ack":
      case "command":
      case "time":
      case "artefact":
        return await aside(`${topic.channel}: is not taken here`);
    }
  } catch (error) {
    const believed = error instanceof ProtocolError ? error.code : undefined;
    if (believed !== "malformed" && believed !== "unauthenticated") throw error;
    await aside(`${topic.channel}: ${believed}`);
  }
}

function sameCar(
  a: Pick<SourceMessage["topic"], "tenant" | "vehicle">,
  b: Pick<SourceMessage["topic"], "tenant" | "vehicle">,
): boolean {
  return a.tenant === b.tenant && a.vehicle === b.vehicle;
}

/**
 * Whether an announcement was made before the one that is known: within an epoch by its number, across epochs by the
 * epoch's. A car that was enrolled anew, under another key, begins anew.
 */
function isOlder(
  next: SessionAnnouncement,
  current: SessionRecord,
  vehicle: VehicleRecord,
): boolean {
  const { session } = current;
  if (equalBytes(session.epoch, next.epoch)) return next.announcement <= session.announcement;
  if (session.epochNumber === undefined) return false;
  if ((next.epochNumber ?? 0) > session.epochNumber) return false;
  return verifies(vehicle, current.envelope);
}

function verifies(vehicle: VehicleRecord, envelope: Uint8Array): boolean {
  try {
    openSession(verifyKey(vehicle.signingKey), envelope);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** Only a later announcement counts; see `isOlder`. */
async function takeSession(
  parts: CarMessageParts,
  store: TenantStore,
  vehicle: VehicleRecord,
  { topic, payload }: SourceMessage,
): Promise<void> {
  const session = openSession(verifyKey(vehicle.signingKey), payload);
  if (!sameCar(session, topic)) {
    throw new ProtocolError("unauthenticated", "session: is of another car");
  }
  const current = await store.session(topic.vehicle);
  if (current !== undefined && isOlder(session, current, vehicle)) {
    parts.log.warn("session.old", { announcement: session.announcement });
    return;
  }
  const record: SessionRecord = {
    vehicle: topic.vehicle,
    session,
    envelope: payload,
    receivedAtMs: parts.clock.wallMs(),
    online: true,
  };
  await store.putSession(record);
  void parts.announced?.(topic.tenant, record);
}

async function takeGone(store: TenantStore, { topic, payload }: SourceMessage): Promise<void> {
  const { epoch, asleep } = parseGone(payload);
  await store.sessionGone(topic.vehicle, epoch, asleep);
}

async function takeResult(
  parts: Parts,
  vehicle: VehicleRecord,
  { topic, payload }: SourceMessage,
  aside: (reason: string) => Promise<void>,
): Promise<void> {
  const result = openResult(parts.cars.key(vehicle), payload);
  if (!sameCar(result, topic)) {
    throw new ProtocolError("unauthenticated", "result: is of another car");
  }
  const ignored = await parts.commands.applyResult(topic, result, payload);
  if (ignored === undefined) return;
  // An answer that came twice is the rule (at least once on the wire); one to another request is not.
  if (ignored.endsWith("already")) parts.log.info("result.again");
  else await aside(`result: ${ignored}`);
}
