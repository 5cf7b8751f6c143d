/**
 * What a booking becomes on the word of the car. What was asked of it is read from a row that others can write, so the
 * signer put its seal on that row as it signed: the result of one command moves no other command's booking.
 */
import {
  type BookingRecord,
  type Clock,
  type CommandRecord,
  decode,
  encodeCbor,
  equalBytes,
  openResult,
  ProtocolError,
  parseSign1,
  resultCodec,
  type TenantId,
  toHex,
} from "@kerbside/protocol";
import { type BookingFields, moveByCar } from "../booking-rules.ts";
import type { VerifiedCars } from "../verified.ts";
import { enrolled, type SignerHome } from "./home.ts";
import type { SignerMemory } from "./memory.ts";
import { macBooking } from "./records.ts";
import type { SignerSecrets } from "./secrets.ts";
import type { SignerAnswer } from "./wire.ts";

export type MoveParts = {
  readonly cars: VerifiedCars;
  readonly clock: Clock;
  readonly memory: SignerMemory;
  /** A booking whose MAC verified. Throws ProtocolError. */
  readonly booking: (home: SignerHome, tenant: TenantId, id: string) => Promise<BookingRecord>;
};
type Sealed = Pick<CommandRecord, "id" | "vehicle" | "action" | "booking">;

function commandBytes(tenant: TenantId, command: Sealed, requestHash: Uint8Array): Uint8Array {
  const { id, vehicle, action, booking } = command;
  const domain = "kerbside/v1/command-record";
  return encodeCbor([domain, tenant, id, vehicle, action, booking ?? "", requestHash]);
}

/** The seal of what was asked, by the hash of what was signed for it. Used within a commit, so it is made at once. */
export async function commandSealer(
  secrets: SignerSecrets,
  tenant: TenantId,
  command: Sealed,
): Promise<(requestHash: Uint8Array) => Uint8Array> {
  const mac = await secrets.macer();
  return (requestHash) => mac(commandBytes(tenant, command, requestHash));
}

/**
 * Opens or ends a booking by the car's signed result; nothing where it moves none. Throws ProtocolError `not_found`,
 * `unauthenticated` or `forbidden`.
 */
export async function movedByCar(
  parts: MoveParts,
  home: SignerHome,
  tenant: TenantId,
  envelope: Uint8Array,
): Promise<Pick<SignerAnswer, "mac" | "opened">> {
  const { store, secrets } = home;
  const command = await store.command(commandIdIn(envelope));
  if (command?.booking === undefined) {
    throw new ProtocolError("not_found", "result: no command for a booking has this id");
  }
  const vehicle = await enrolled(store, command.vehicle);
  const result = openResult(parts.cars.key(vehicle), envelope);
  const { requestHash, requestSeal } = command;
  const fits =
    result.status === "executed" &&
    result.tenant === tenant &&
    result.vehicle === vehicle.vehicle &&
    toHex(result.id) === command.id &&
    requestHash !== undefined &&
    equalBytes(result.requestHash, requestHash);
  if (!fits) throw new ProtocolError("forbidden", "result: does not move a booking");
  const bytes = commandBytes(tenant, command, requestHash);
  if (requestSeal === undefined || !(await secrets.verifies(bytes, requestSeal))) {
    throw new ProtocolError("unauthenticated", "command: its seal does not verify");
  }
  const current = await parts.booking(home, tenant, command.booking);
  const state = moveByCar(command.action, current.state);
  if (current.vehicle !== vehicle.vehicle || state === undefined) return {};
  const { mac: _, ...fields } = current;
  const nowMs = parts.clock.wallMs();
  const toMs = state === "ended" ? Math.max(nowMs, fields.fromMs) : fields.toMs;
  const moved: BookingFields = { ...fields, state, toMs, version: current.version + 1 };
  await parts.memory.endBooking(tenant, moved);
  await store.audit({
    actor: `vehicle:${vehicle.vehicle}`,
    action: state === "open" ? "signer.open_booking" : "signer.end_booking",
    subject: `booking:${current.booking}`,
    outcome: "done",
    reason: `command ${command.id} was executed`,
  });
  return { opened: moved, mac: await macBooking(secrets, tenant, moved) };
}

/** The command's id in a result that is not believed yet: only to find the car whose key must verify it. */
function commandIdIn(envelope: Uint8Array): string {
  return toHex(decode(resultCodec, parseSign1(envelope).payload).id);
}
