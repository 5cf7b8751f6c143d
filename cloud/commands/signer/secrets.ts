/**
 * The signer's secrets, in a vault that nothing but the signer opens: `command/N`, the seed of the tenant's command
 * key, and `booking-mac/N`, the key of the bookings' MACs. The highest N is used; MACs of lower ones still verify.
 */
import {
  encodeCbor,
  hmac,
  KEY_BYTES,
  ProtocolError,
  type Random,
  type SigningKey,
  sameMac,
  signingKey,
  type TenantId,
  type Vault,
} from "@kerbside/protocol";
import type { BookingFields } from "../booking-rules.ts";

const COMMAND = "command";
const BOOKING_MAC = "booking-mac";
const MAC_DOMAIN = "kerbside/v1/booking";

async function versions(vault: Vault, name: string): Promise<readonly number[]> {
  const pattern = new RegExp(`^${name}/([1-9][0-9]{0,8})$`);
  return (await vault.names())
    .flatMap((n) => pattern.exec(n)?.slice(1, 2) ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

async function secretOf(vault: Vault, name: string, version: number): Promise<Uint8Array> {
  const secret = await vault.get(`${name}/${version}`);
  if (secret?.length !== KEY_BYTES) {
    throw new ProtocolError("unavailable", `signer's vault: ${name}/${version} is missing`);
  }
  return secret;
}

/** Makes what is missing of the signer's secrets. Idempotent. Answers the newest command key's public half. */
export async function provisionSigner(
  vault: Vault,
  random: Random,
): Promise<{ readonly version: number; readonly publicKey: Uint8Array }> {
  for (const name of [COMMAND, BOOKING_MAC]) {
    if ((await versions(vault, name)).length === 0) {
      await vault.put(`${name}/1`, random.bytes(KEY_BYTES));
    }
  }
  const version = (await versions(vault, COMMAND))[0] ?? 1;
  return { version, publicKey: (await commandKey(vault)).publicKey };
}

/** Throws ProtocolError `unavailable` where the vault has none. */
export async function commandKey(vault: Vault): Promise<SigningKey> {
  const version = (await versions(vault, COMMAND))[0] ?? 1;
  return signingKey(await secretOf(vault, COMMAND, version));
}

function macBytes(tenant: TenantId, b: BookingFields): Uint8Array {
  const { booking, vehicle, holder, fromMs, toMs, state, version } = b;
  return encodeCbor([MAC_DOMAIN, tenant, booking, vehicle, holder, fromMs, toMs, state, version]);
}

export async function macBooking(
  vault: Vault,
  tenant: TenantId,
  booking: BookingFields,
): Promise<Uint8Array> {
  const version = (await versions(vault, BOOKING_MAC))[0] ?? 1;
  return hmac(await secretOf(vault, BOOKING_MAC, version), macBytes(tenant, booking));
}

/** Throws ProtocolError `unauthenticated` unless one of the vault's keys made this MAC. */
export async function checkBookingMac(
  vault: Vault,
  tenant: TenantId,
  booking: BookingFields & { readonly mac: Uint8Array },
): Promise<void> {
  const data = macBytes(tenant, booking);
  for (const version of await versions(vault, BOOKING_MAC)) {
    if (sameMac(hmac(await secretOf(vault, BOOKING_MAC, version), data), booking.mac)) return;
  }
  throw new ProtocolError("unauthenticated", "booking: its MAC does not verify");
}
