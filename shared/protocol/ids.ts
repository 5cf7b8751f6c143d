/**
 * Ids in topics, logs and metrics are pseudonyms (never a VIN, plate or name), short, lower case, and safe
 * as a path segment, a topic level and a property key.
 */
import { ProtocolError } from "./errors.ts";
import { bytes, type Codec, text } from "./schema.ts";

/** 1 to 40 of a–z, 0–9 and hyphen, beginning with a letter or digit: excludes `__proto__`, `..`, `+`, `#`. */
export const ID_PATTERN: RegExp = /^[a-z0-9][a-z0-9-]{0,39}$/;
/** Words that an object has by itself; refused although nothing here uses ids as bare property keys. */
const ID_RESERVED: ReadonlySet<string> = new Set([
  "constructor",
  "prototype",
  "valueof",
  "tostring",
]);

export type TenantId = string & { readonly tenantId: true };
export type VehicleId = string & { readonly vehicleId: true };

function checked(kind: string, value: unknown): string {
  if (typeof value !== "string" || !ID_PATTERN.test(value) || ID_RESERVED.has(value)) {
    throw new ProtocolError("malformed", `${kind}: expected 1 to 40 of a–z, 0–9 and hyphen`);
  }
  return value;
}

/** Throws ProtocolError `malformed` if it is not a tenant id. */
export function tenantId(value: unknown): TenantId {
  return checked("tenant id", value) as TenantId;
}

/** Throws ProtocolError `malformed` if it is not a vehicle id. */
export function vehicleId(value: unknown): VehicleId {
  return checked("vehicle id", value) as VehicleId;
}

export const tenantCodec: Codec<TenantId> = branded(tenantId, "tenant id");
export const vehicleCodec: Codec<VehicleId> = branded(vehicleId, "vehicle id");

function branded<T extends string>(parse: (value: unknown) => T, describe: string): Codec<T> {
  return { describe, toCbor: (value) => parse(value), fromCbor: (value) => parse(value) };
}

/** A booking's id, made by the API: 1 to 40 of the id alphabet. */
export const bookingCodec: Codec<string> = text(40, ID_PATTERN);
/** 128 random bits: logs, epochs, commands, nonces. */
export const random128: Codec<Uint8Array> = bytes(16);
/** SHA-256. */
export const hash256: Codec<Uint8Array> = bytes(32);
