/**
 * A tenant's rules for the end of a rental, as data: pushed to cars as the signed artefact `rental`, judged in the car
 * (with or without coverage). Where a car has none, `DEFAULT_RENTAL_POLICY` is in force.
 */
import { choice, field, list, real, struct, type TypeOf, uint } from "./schema.ts";

/** What a tenant may ask of a car that is given back; names are only ever appended. */
export const END_CONDITIONS = [
  "doors_closed",
  "windows_closed",
  "lights_off",
  "key_in_holder",
  "fuel_card_in_holder",
  "parking_brake",
  "in_zone",
  "plugged_in",
] as const;
export type EndCondition = (typeof END_CONDITIONS)[number];

export const ZONES_MAX = 32;
export const ZONE_POINTS_MAX = 256;
const HOUR_MS = 3_600_000;

const internal = { class: "Internal" } as const;
const point = struct("corner of a zone", {
  latitude: field(0, real(-90, 90), { ...internal, doc: "WGS 84 latitude", unit: "degrees" }),
  longitude: field(1, real(-180, 180), { ...internal, doc: "WGS 84 longitude", unit: "degrees" }),
});
const endRule = struct("one condition of the end of a rental", {
  condition: field(0, choice(END_CONDITIONS), { ...internal, doc: "which" }),
  unknown: field(1, choice(["flag", "refuse"]), {
    ...internal,
    doc: "what becomes of the end where it cannot be told: it is ended and flagged, or refused",
  }),
});
export const rentalPolicyCodec = struct("rental policy", {
  endConditions: field(0, list(endRule, END_CONDITIONS.length), {
    ...internal,
    doc: "all that must hold at the end; what is not named is not asked",
  }),
  zones: field(1, list(list(point, ZONE_POINTS_MAX), ZONES_MAX), {
    ...internal,
    doc: "polygons in which a rental may end, for `in_zone`; corners in order, the last joined to the first",
  }),
  unstartedMs: field(2, uint(24 * HOUR_MS), {
    ...internal,
    doc: "a rental in which no door was opened and nothing driven is closed again after this; 0: never",
    unit: "ms",
  }),
});
export type RentalPolicy = TypeOf<typeof rentalPolicyCodec>;
export type ZonePoint = TypeOf<typeof point>;

/** Doors shut and lights off; a broken sensor keeps nobody in a rental. */
export const DEFAULT_RENTAL_POLICY: RentalPolicy = {
  endConditions: [
    { condition: "doors_closed", unknown: "flag" },
    { condition: "lights_off", unknown: "flag" },
  ],
  zones: [],
  unstartedMs: 900_000,
};
