/** Trips, told by the cars' own word of their ends and beginnings. */
import { ProtocolError, type TripRecord } from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import { type Answer, type Call, limitOf, type Route, timeOf, vehicleParam } from "./route.ts";
import { pageOf } from "./schemas.ts";
import { iso } from "./views.ts";

const said = (description: string) => Type.Optional(Type.String({ description }));
const much = (description: string) => Type.Optional(Type.Number({ description }));

export const TripSchema: TSchema = Type.Object(
  {
    vehicle: Type.String({ description: "the car" }),
    log: Type.String({ description: "the log that its end stands in" }),
    seq: Type.Integer({ description: "with `log`: the event of its end, in the lane `state`" }),
    booking: said("the booking it was for, as the car knew it"),
    startedAt: said("when it began, by the car's word or by its duration"),
    endedAt: Type.String({ description: "when it ended" }),
    distanceM: much("by the odometer"),
    durationS: much("from beginning to end"),
    odometerStartM: much("at its beginning"),
    odometerEndM: much("at its end"),
    fuelStartPercent: much("at its beginning"),
    fuelEndPercent: much("at its end"),
    chargeStartPercent: much("at its beginning"),
    chargeEndPercent: much("at its end"),
    erased: Type.Optional(
      Type.Boolean({ description: "what it was is no longer kept: its key has been destroyed" }),
    ),
  },
  { additionalProperties: false, description: "what is not there is not known" },
);

export function tripView(trip: TripRecord): Readonly<Record<string, unknown>> {
  const { vehicle, log, seq, startedAtMs, endedAtMs, began, ended } = trip;
  const fields = {
    booking: ended?.booking ?? began?.booking,
    startedAt: startedAtMs === undefined ? undefined : iso(startedAtMs),
    endedAt: iso(endedAtMs),
    distanceM: ended?.distanceM,
    durationS: ended?.durationS,
    odometerStartM: began?.odometerM,
    odometerEndM: ended?.odometerM,
    fuelStartPercent: began?.fuelPercent,
    fuelEndPercent: ended?.fuelPercent,
    chargeStartPercent: began?.chargePercent,
    chargeEndPercent: ended?.chargePercent,
    ...(ended === null ? { erased: true } : {}),
  };
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { vehicle, log, seq, ...Object.fromEntries(known) };
}

async function list(call: Call): Promise<Answer> {
  const { vehicle: only } = call.query;
  return listOf(
    call,
    only === undefined ? undefined : vehicleParam({ ...call, params: { vehicle: only } }),
  );
}

async function listOfVehicle(call: Call): Promise<Answer> {
  const vehicle = vehicleParam(call);
  if ((await call.store.vehicle(vehicle)) === undefined)
    throw new ProtocolError("not_found", "vehicle: there is none such");
  return listOf(call, vehicle);
}

async function listOf(
  call: Call,
  vehicle: ReturnType<typeof vehicleParam> | undefined,
): Promise<Answer> {
  const { after, from, to } = call.query;
  const { items, next } = await call.store.trips({
    ...(vehicle === undefined ? {} : { vehicle }),
    ...(from === undefined ? {} : { fromMs: timeOf("from", from) }),
    ...(to === undefined ? {} : { toMs: timeOf("to", to) }),
    ...(after === undefined ? {} : { after }),
    limit: limitOf(call.query),
  });
  return {
    status: 200,
    body: { items: items.map(tripView), ...(next === undefined ? {} : { next }) },
  };
}

const SHARED = {
  method: "GET",
  scopes: ["events:read"],
  tag: "events",
  personal: true,
  answers: { 200: pageOf(TripSchema) },
} as const;

export const TRIP_ROUTES: readonly Route[] = [
  {
    ...SHARED,
    path: "/trips",
    operation: "listTrips",
    summary: "Trips that ended within a time, by vehicle and end",
    query: ["vehicle", "from", "to", "after", "limit"],
    handle: list,
  },
  {
    ...SHARED,
    path: "/vehicles/:vehicle/trips",
    operation: "listVehicleTrips",
    summary: "Trips of one car, by their end",
    query: ["from", "to", "after", "limit"],
    handle: listOfVehicle,
  },
];
