/** What a hold names, as it lies in its row. */
import { type HeldThing, ProtocolError, vehicleId } from "@kerbside/protocol";

export type ThingRow = {
  readonly person: string | null;
  readonly vehicle: string | null;
  readonly fromMs: number | null;
  readonly toMs: number | null;
};

export function heldThing({ person, vehicle, fromMs, toMs }: ThingRow): HeldThing {
  if (person !== null) return { person };
  if (vehicle === null || fromMs === null || toMs === null)
    throw new ProtocolError("storage_failed", "hold: names neither a person nor a car");
  return { vehicle: vehicleId(vehicle), fromMs, toMs };
}

/** In the order of the columns person, vehicle, from_ms and to_ms. */
export function thingValues(thing: HeldThing): readonly (string | number | null)[] {
  return thing.vehicle === undefined
    ? [thing.person, null, null, null]
    : [null, thing.vehicle, thing.fromMs, thing.toMs];
}
