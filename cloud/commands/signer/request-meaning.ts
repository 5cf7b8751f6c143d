/** What a signed request must have been for what the signer is asked: the path that it named, and what its body says. */
import {
  type BookingRecord,
  type CommandRecord,
  equalBytes,
  type GrantAction,
  type TenantId,
  toHex,
} from "@kerbside/protocol";
import { type BookingFields, bookingIdOf, grantIdOf } from "../booking-rules.ts";
import type { RequestKeyOwner } from "./request-keys.ts";
import type { CardOrder, CommandOrder, GrantOrder } from "./wire.ts";

export type Said = Readonly<Record<string, unknown>>;
export type Meant = {
  readonly method: "POST" | "PATCH";
  /** Under the tenant. */
  readonly path: string;
  /** Whether body and Idempotency-Key ask for just this. */
  readonly fits: (said: Said, idempotencyKey: string) => boolean;
  /** What the same request may be shown for once more, where it may. */
  readonly again?: string;
};
type Who = { readonly tenant: TenantId; readonly subject: string };

/** Once more for the same command, whose car has announced another session; the life cycle bounds that. */
export function commandMeant(order: CommandOrder, record: CommandRecord | undefined): Meant {
  const { id, vehicle, action, booking, armMs, target } = order;
  return {
    method: "POST",
    path: `/vehicles/${vehicle}/commands`,
    fits: (said, key) =>
      said["action"] === action &&
      said["booking"] === booking &&
      said["armMs"] === armMs &&
      said["target"] === (target === undefined ? undefined : toHex(target)) &&
      record?.idempotencyKey === key,
    again: `command ${toHex(id)}`,
  };
}

export function bookingMeant(
  { tenant, subject }: Who,
  current: BookingRecord | undefined,
  fields: BookingFields,
): Meant {
  const { booking, state, fromMs, toMs } = fields;
  const isAt = (said: unknown, ms: number): boolean =>
    typeof said === "string" && Date.parse(said) === ms;
  if (current === undefined) {
    return {
      method: "POST",
      path: "/bookings",
      fits: (said, key) =>
        said["vehicle"] === fields.vehicle &&
        said["holder"] === fields.holder &&
        isAt(said["from"], fromMs) &&
        isAt(said["to"], toMs) &&
        bookingIdOf(tenant, subject, key) === booking,
    };
  }
  if (current.state === state) {
    return { method: "PATCH", path: `/bookings/${booking}`, fits: ({ to }) => isAt(to, toMs) };
  }
  const verb = state === "cancelled" ? "cancel" : "end";
  return { method: "POST", path: `/bookings/${booking}/${verb}`, fits: () => true };
}

export function grantMeant({ tenant, subject }: Who, order: GrantOrder): Meant {
  if (order.revoke) {
    return { method: "POST", path: `/grants/${toHex(order.id)}/revoke`, fits: () => true };
  }
  return {
    method: "POST",
    path: `/bookings/${order.booking}/grants`,
    fits: (said, key) =>
      sameActions(said["actions"], order.actions) &&
      said["phone"] === phoneText(order.phone) &&
      sameCard(said["card"], order.card) &&
      equalBytes(grantIdOf(tenant, subject, key), order.id),
  };
}

export function carryMeant(grant: Uint8Array): Meant {
  return { method: "POST", path: `/grants/${toHex(grant)}/carry`, fits: () => true };
}

export function revokeKeyMeant({ subject, keyId }: RequestKeyOwner): Meant {
  return {
    method: "POST",
    path: "/request-keys/revoke",
    fits: (said) => said["client"] === subject && said["keyId"] === keyId,
  };
}

function sameActions(said: unknown, actions: readonly GrantAction[]): boolean {
  return JSON.stringify(said) === JSON.stringify(actions);
}

function phoneText(phone: Uint8Array | undefined): string | undefined {
  return phone === undefined ? undefined : Buffer.from(phone).toString("base64url");
}

function sameCard(said: unknown, card: CardOrder | undefined): boolean {
  if (card === undefined || typeof said !== "object" || said === null) return said === card;
  const { uid, proof, uidRule, key, pin }: Said = { ...said };
  return (
    isHexOf(uid, card.uid) &&
    proof === card.proof &&
    uidRule === card.uidRule &&
    (card.key === undefined ? key === undefined : isHexOf(key, card.key)) &&
    pin === card.pin
  );
}

function isHexOf(said: unknown, bytes: Uint8Array): boolean {
  return said === toHex(bytes);
}
