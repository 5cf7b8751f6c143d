/** The whole fleet at a glance: of each car what an operator's list and map show, folded from its newest events. */
import type { StoredEvent, VehicleRecord } from "@kerbside/protocol";
import { type TSchema, Type } from "typebox";
import { type Answer, type Call, limitOf, type Route } from "./route.ts";
import { pageOf } from "./schemas.ts";
import { iso } from "./views.ts";

const strict = { additionalProperties: false } as const;
const known = <T extends TSchema>(schema: T) => Type.Optional(schema);

const FleetItemSchema: TSchema = Type.Object(
  {
    vehicle: Type.String(),
    profile: Type.String(),
    online: Type.Boolean({ description: "whether a command would reach it now" }),
    revoked: Type.Boolean(),
    seenAt: known(Type.String({ description: "when the newest event happened" })),
    locked: known(Type.Boolean({ description: "all bolts seen locked" })),
    latitude: known(Type.Number({ description: "WGS 84, degrees" })),
    longitude: known(Type.Number()),
    headingDeg: known(Type.Number()),
    speedKmh: known(Type.Number()),
    fuelPercent: known(Type.Number()),
    chargePercent: known(Type.Number()),
    batteryLowV: known(
      Type.Number({ description: "the 12 V battery, where it was told to be low" }),
    ),
    fault: known(Type.String({ description: "the newest fault that is not over" })),
    alarm: known(Type.String({ description: "the newest alarm" })),
    alarmAt: known(Type.String()),
  },
  { ...strict, description: "what is not there is not known" },
);

type Fields = Readonly<Record<string, unknown>>;
type Fold = (fields: Fields, at: string) => Fields;
const pick = (fields: Fields, ...names: readonly string[]): Fields =>
  Object.fromEntries(names.flatMap((name) => (name in fields ? [[name, fields[name]]] : [])));

/** What each kind says of a car. Applied in the order of time, so that the newest word counts. */
const FOLDS: Readonly<Record<string, Fold>> = {
  "lock.changed": (data) => pick(data, "locked"),
  "position.sampled": (data) => pick(data, "latitude", "longitude", "headingDeg", "speedKmh"),
  "vehicle.parked": (data) => ({ ...pick(data, "latitude", "longitude"), speedKmh: 0 }),
  "energy.changed": (data) => pick(data, "fuelPercent", "chargePercent"),
  "trip.started": (data) => pick(data, "fuelPercent", "chargePercent"),
  "trip.ended": (data) => pick(data, "fuelPercent", "chargePercent"),
  "battery.low": (data) => ({ batteryLowV: data["voltageV"] }),
  "fault.raised": (data) => ({ fault: data["code"] }),
  "security.alarm": (data, at) => ({ alarm: data["alarm"], alarmAt: at }),
};

/** Of the newest event of each kind. Pure. */
export function fleetState(events: readonly StoredEvent[]): Fields {
  const inTime = [...events].sort((a, b) => a.atMs - b.atMs);
  const state: Record<string, unknown> = {};
  for (const { kind, data, atMs } of inTime) {
    const fields = data as Fields;
    Object.assign(state, FOLDS[kind]?.(fields, iso(atMs)), { seenAt: iso(atMs) });
    if (kind === "fault.cleared" && state["fault"] === fields["code"]) delete state["fault"];
  }
  return state;
}

async function show(
  call: Call,
  record: VehicleRecord,
  events: readonly StoredEvent[],
): Promise<Fields> {
  const { store, parts, caller } = call;
  const { vehicle, profile, revokedAtMs } = record;
  const session = await store.session(vehicle);
  const connected = parts.connected?.({ tenant: caller.tenant, vehicle });
  const online = session !== undefined && (connected ?? session.online);
  const state = fleetState(events);
  return { vehicle, profile, online, revoked: revokedAtMs !== undefined, ...state };
}

async function list(call: Call): Promise<Answer> {
  const { after, vehicle, vehicles } = call.query;
  const only = vehicle === undefined ? vehicles?.split(",") : [vehicle];
  const limit = limitOf(call.query);
  const all = [...(await call.store.vehicles())].sort((a, b) => (a.vehicle < b.vehicle ? -1 : 1));
  const rest = all.filter(({ vehicle: name }) =>
    only === undefined ? name > (after ?? "") : only.includes(name),
  );
  const page = rest.slice(0, limit);
  const latest = await call.store.latestOf(page.map(({ vehicle: name }) => name));
  const items = await Promise.all(
    page.map((record) => show(call, record, latest.get(record.vehicle) ?? [])),
  );
  const next = rest.length > page.length ? page.at(-1)?.vehicle : undefined;
  return { status: 200, body: { items, ...(next === undefined ? {} : { next }) } };
}

export const FLEET_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/fleet",
    operation: "listFleet",
    summary: "What a list and a map of all cars show, by id",
    scopes: ["events:read"],
    tag: "vehicles",
    query: ["vehicle", "vehicles", "after", "limit"],
    personal: true,
    answers: { 200: pageOf(FleetItemSchema) },
    handle: list,
  },
];
