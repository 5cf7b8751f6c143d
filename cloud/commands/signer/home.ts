/** A tenant as the signer works on it. */
import {
  ProtocolError,
  type TenantStore,
  type VehicleId,
  type VehicleRecord,
} from "@kerbside/protocol";
import type { SignerSecrets } from "./secrets.ts";

export type SignerHome = { readonly store: TenantStore; readonly secrets: SignerSecrets };

/** Throws ProtocolError `not_found` unless the vehicle is enrolled and not revoked. */
export async function enrolled(store: TenantStore, id: VehicleId): Promise<VehicleRecord> {
  const vehicle = await store.vehicle(id);
  if (vehicle === undefined || vehicle.revokedAtMs !== undefined) {
    throw new ProtocolError("not_found", "vehicle: none such is enrolled");
  }
  return vehicle;
}
