/**
 * What the signer's MACs cover: every field of a booking and of a grant. Only the signer's side can make them, so a
 * database that was written to by somebody else holds nothing that opens a car.
 */
import { encodeCbor, type GrantRecord, ProtocolError, type TenantId } from "@kerbside/protocol";
import type { BookingFields } from "../booking-rules.ts";
import type { SignerSecrets } from "./secrets.ts";

export type GrantFields = Omit<GrantRecord, "mac" | "listVersion">;

function bookingBytes(tenant: TenantId, b: BookingFields): Uint8Array {
  const { booking, vehicle, holder, fromMs, toMs, state, version } = b;
  const domain = "kerbside/v1/booking";
  return encodeCbor([domain, tenant, booking, vehicle, holder, fromMs, toMs, state, version]);
}

function grantBytes(tenant: TenantId, g: GrantFields): Uint8Array {
  const { grant, booking, vehicle, credential, actions, state, version } = g;
  const domain = "kerbside/v1/grant-record";
  const fields = [grant, booking, vehicle, credential, [...actions], state, version];
  return encodeCbor([domain, tenant, ...fields]);
}

export function macBooking(
  secrets: SignerSecrets,
  tenant: TenantId,
  booking: BookingFields,
): Promise<Uint8Array> {
  return secrets.mac(bookingBytes(tenant, booking));
}

export function macGrant(
  secrets: SignerSecrets,
  tenant: TenantId,
  grant: GrantFields,
): Promise<Uint8Array> {
  return secrets.mac(grantBytes(tenant, grant));
}

/** Throws ProtocolError `unauthenticated` unless one of the vault's keys made this MAC. */
export async function checkBookingMac(
  secrets: SignerSecrets,
  tenant: TenantId,
  booking: BookingFields & { readonly mac: Uint8Array },
): Promise<void> {
  if (await secrets.verifies(bookingBytes(tenant, booking), booking.mac)) return;
  throw new ProtocolError("unauthenticated", "booking: its MAC does not verify");
}

/** Throws ProtocolError `unauthenticated` unless one of the vault's keys made this MAC. */
export async function checkGrantMac(
  secrets: SignerSecrets,
  tenant: TenantId,
  grant: GrantRecord,
): Promise<void> {
  if (await secrets.verifies(grantBytes(tenant, grant), grant.mac)) return;
  throw new ProtocolError("unauthenticated", "grant: its MAC does not verify");
}
