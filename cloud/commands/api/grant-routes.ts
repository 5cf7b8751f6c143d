/** Grants: what a booking's cards and phones may do without coverage, and whether the car knows. */
import {
  fromHex,
  type GrantAction,
  type GrantRecord,
  PIN_PATTERN,
  ProtocolError,
  type SessionRecord,
} from "@kerbside/protocol";
import { grantState } from "../grants.ts";
import { CarriedSchema, GrantBodySchema, GrantSchema, pageOf } from "./grant-schemas.ts";
import { type Answer, type Call, type Route, vehicleParam } from "./route.ts";

const GRANT_ID = /^[0-9a-f]{32}$/;

/** By the row's schema. */
type GrantBody = {
  readonly actions: readonly GrantAction[];
  readonly phone?: string;
  readonly card?: {
    readonly uid: string;
    readonly proof: "keyed" | "uid";
    readonly key?: string;
    readonly uidRule: "never" | "with_pin" | "alone";
    readonly pin?: string;
  };
};

function grantView(record: GrantRecord, session: SessionRecord | undefined): object {
  const { grant, booking, vehicle, actions, listVersion } = record;
  return {
    grant,
    booking,
    vehicle,
    actions,
    state: grantState(record, session),
    ...(listVersion === undefined ? {} : { listVersion }),
    confirmedListVersion: session?.session.grantsVersion ?? 0,
  };
}

function grantParam(call: Call): string {
  const id = call.params["grant"] ?? "";
  if (!GRANT_ID.test(id)) throw new ProtocolError("not_found", "grant: there is none such");
  return id;
}

async function shown(call: Call, record: GrantRecord, status = 200): Promise<Answer> {
  return { status, body: grantView(record, await call.store.session(record.vehicle)) };
}

async function create(call: Call): Promise<Answer> {
  const { actions, phone, card } = call.body as GrantBody;
  if (card?.pin !== undefined && !PIN_PATTERN.test(card.pin)) {
    throw new ProtocolError("malformed", "pin: expected 4 to 8 digits");
  }
  const record = await call.parts.grants.create(call.caller, {
    booking: call.params["booking"] ?? "",
    actions,
    ...(phone === undefined ? {} : { phone: Uint8Array.from(Buffer.from(phone, "base64url")) }),
    ...(card === undefined ? {} : { card: cardOf(card) }),
    idempotencyKey: call.idempotencyKey,
  });
  return shown(call, record, 201);
}

function cardOf({ uid, key, proof, uidRule, pin }: NonNullable<GrantBody["card"]>) {
  return {
    uid: fromHex(uid),
    proof,
    uidRule,
    ...(key === undefined ? {} : { key: fromHex(key) }),
    ...(pin === undefined ? {} : { pin }),
  };
}

async function list(call: Call): Promise<Answer> {
  const vehicle = vehicleParam(call);
  const session = await call.store.session(vehicle);
  const records = await call.store.grants(vehicle);
  return { status: 200, body: { items: records.map((record) => grantView(record, session)) } };
}

async function revoke(call: Call): Promise<Answer> {
  return shown(call, await call.parts.grants.revoke(call.caller, grantParam(call)));
}

async function carry(call: Call): Promise<Answer> {
  const envelope = await call.parts.grants.carry(call.caller, grantParam(call));
  return { status: 200, body: { carried: Buffer.from(envelope).toString("base64url") } };
}

const common = { tag: "bookings", personal: true } as const;
export const GRANT_ROUTES: readonly Route[] = [
  {
    ...common,
    method: "POST",
    path: "/bookings/:booking/grants",
    operation: "createGrant",
    summary: "Let a card or a phone open the car for a booking, with or without coverage",
    scopes: ["bookings:write"],
    body: GrantBodySchema,
    once: true,
    answers: { 201: GrantSchema },
    handle: create,
  },
  {
    ...common,
    method: "GET",
    path: "/vehicles/:vehicle/grants",
    operation: "listGrants",
    summary: "The grants of a car, and whether the car has confirmed them",
    scopes: ["bookings:read"],
    answers: { 200: pageOf(GrantSchema) },
    handle: list,
  },
  {
    ...common,
    method: "POST",
    path: "/grants/:grant/revoke",
    operation: "revokeGrant",
    summary: "Take a grant back; `revoking` until the car confirms it",
    scopes: ["bookings:write"],
    answers: { 200: GrantSchema },
    handle: revoke,
  },
  {
    ...common,
    method: "POST",
    path: "/grants/:grant/carry",
    operation: "carryGrant",
    summary:
      "The grant for its phone to carry to a car that has no coverage; good for 24 hours at most",
    scopes: ["bookings:write"],
    answers: { 200: CarriedSchema },
    handle: carry,
  },
];
