/** What a backend asks in these tests: a booking of the car that has begun, and commands. */
import { randomUUID } from "node:crypto";
import * as assert from "uvu/assert";
import type { Reply, Rig } from "./rig.ts";

const HOUR = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

export async function book(rig: Rig, token: string): Promise<string> {
  const now = Date.now();
  const times = { from: iso(now - 1000), to: iso(now + HOUR) };
  const reply = await rig.ask({
    path: "/v1/tenants/demo/bookings",
    token,
    body: { vehicle: "car-1", holder: "person-1", ...times },
    headers: { "idempotency-key": randomUUID() },
  });
  assert.is(reply.status, 201, reply.text);
  return reply.body.booking;
}

type More = { readonly key?: string; readonly wait?: number; readonly vehicle?: string };
export function command(rig: Rig, token: string, body: object, more: More = {}): Promise<Reply> {
  const { key = randomUUID(), wait = 10_000, vehicle = "car-1" } = more;
  return rig.ask({
    path: `/v1/tenants/demo/vehicles/${vehicle}/commands?wait=${wait}`,
    token,
    body,
    headers: { "idempotency-key": key },
  });
}
