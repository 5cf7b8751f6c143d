import {
  type BookingFields,
  checkBooking,
  checkBookingMove,
  checkNewBooking,
  checkScopes,
  expiryOnSessionClock,
  LOCK_AFTER_END_MS_MAX,
} from "@kerbside/commands";
import { type BookingRecord, type ErrorCode, ProtocolError, vehicleId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const CAR = vehicleId("car-1");
const FROM = 1_000_000;
const TO = 2_000_000;
const booking = (more: Partial<BookingRecord> = {}): BookingRecord => ({
  booking: "b-1",
  vehicle: CAR,
  holder: "person-1",
  fromMs: FROM,
  toMs: TO,
  state: "reserved",
  version: 1,
  mac: new Uint8Array(32),
  ...more,
});

function codeOf(run: () => void): ErrorCode | "ok" {
  try {
    run();
    return "ok";
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

const WINDOWS: readonly {
  readonly why: string;
  readonly state: BookingRecord["state"];
  readonly action: "lock" | "unlock";
  readonly atMs: number;
  readonly ok: boolean;
}[] = [
  { why: "first moment", state: "reserved", action: "unlock", atMs: FROM, ok: true },
  { why: "a moment early", state: "reserved", action: "unlock", atMs: FROM - 1, ok: false },
  { why: "last moment", state: "open", action: "unlock", atMs: TO - 1, ok: true },
  { why: "a moment late", state: "open", action: "unlock", atMs: TO, ok: false },
  { why: "nothing opened yet", state: "reserved", action: "lock", atMs: FROM, ok: true },
  { why: "too early", state: "reserved", action: "lock", atMs: FROM - 1, ok: false },
  { why: "an open rental, days late", state: "open", action: "lock", atMs: TO + 1e9, ok: true },
  { why: "just ended", state: "ended", action: "lock", atMs: TO + 1, ok: true },
  {
    why: "ended too long ago",
    state: "ended",
    action: "lock",
    atMs: TO + LOCK_AFTER_END_MS_MAX,
    ok: false,
  },
  { why: "ended", state: "ended", action: "unlock", atMs: TO - 1, ok: false },
  { why: "cancelled", state: "cancelled", action: "lock", atMs: FROM, ok: false },
  { why: "cancelled", state: "cancelled", action: "unlock", atMs: FROM, ok: false },
];
for (const row of WINDOWS) {
  test(`${row.action} for a booking that is ${row.state}, ${row.why}: ${row.ok}`, () => {
    const asked = { vehicle: CAR, action: row.action, nowMs: row.atMs };
    const got = codeOf(() => checkBooking(booking({ state: row.state }), asked));
    assert.is(got, row.ok ? "ok" : "forbidden");
  });
}

test("a booking of another car allows nothing", () => {
  const asked = { vehicle: vehicleId("car-2"), action: "lock", nowMs: FROM } as const;
  assert.is(
    codeOf(() => checkBooking(booking(), asked)),
    "forbidden",
  );
});

const SCOPES = [
  { why: "a backend, with a booking", scopes: ["commands:write"], booking: true, ok: true },
  { why: "a backend, without one", scopes: ["commands:write"], booking: false, ok: false },
  { why: "staff, without a booking", scopes: ["commands:operate"], booking: false, ok: true },
  { why: "only reading", scopes: ["commands:read"], booking: true, ok: false },
  { why: "nothing", scopes: [], booking: true, ok: false },
] as const;
for (const row of SCOPES) {
  test(`${row.why}: ${row.ok}`, () => {
    const scopes = new Set<string>(row.scopes);
    for (const action of ["lock", "unlock"] as const) {
      const got = codeOf(() => checkScopes(scopes, action, row.booking));
      assert.is(got, row.ok ? "ok" : "forbidden");
    }
  });
}

const NOW = 1_500_000;
const MOVES: readonly {
  readonly why: string;
  readonly current: BookingRecord;
  readonly next: Partial<BookingFields>;
  readonly gives: ErrorCode | "ok";
}[] = [
  {
    why: "end of an open one",
    current: booking({ state: "open", version: 2 }),
    next: { state: "ended", version: 3, toMs: NOW },
    gives: "ok",
  },
  {
    why: "cancelled before it began",
    current: booking(),
    next: { state: "cancelled", version: 2 },
    gives: "ok",
  },
  {
    why: "opening is the car's word, not the caller's",
    current: booking(),
    next: { state: "open", version: 2 },
    gives: "conflict",
  },
  {
    why: "cancelled although open",
    current: booking({ state: "open" }),
    next: { state: "cancelled", version: 2 },
    gives: "conflict",
  },
  {
    why: "an ended one comes back",
    current: booking({ state: "ended" }),
    next: { state: "open", version: 2 },
    gives: "conflict",
  },
  ...(["reserved", "open"] as const).map((state) => ({
    why: `longer, while it is ${state}`,
    current: booking({ state }),
    next: { version: 2, toMs: TO + 1 },
    gives: "ok" as const,
  })),
  {
    why: "shorter, to what is still to come",
    current: booking({ state: "open" }),
    next: { version: 2, toMs: NOW + 1 },
    gives: "ok",
  },
  {
    why: "shorter, into the past",
    current: booking({ state: "open" }),
    next: { version: 2, toMs: NOW },
    gives: "malformed",
  },
  {
    why: "longer than a year",
    current: booking(),
    next: { version: 2, toMs: FROM + 367 * 86_400_000 },
    gives: "malformed",
  },
  {
    why: "longer, after it has ended",
    current: booking({ state: "ended" }),
    next: { version: 2, toMs: TO + 1 },
    gives: "conflict",
  },
  {
    why: "longer, and another begin",
    current: booking(),
    next: { version: 2, toMs: TO + 1, fromMs: FROM + 1 },
    gives: "conflict",
  },
  {
    why: "another car",
    current: booking(),
    next: { state: "cancelled", version: 2, vehicle: vehicleId("car-2") },
    gives: "conflict",
  },
  {
    why: "another person",
    current: booking(),
    next: { state: "cancelled", version: 2, holder: "person-2" },
    gives: "conflict",
  },
  {
    why: "longer by the way",
    current: booking(),
    next: { state: "cancelled", version: 2, toMs: TO + 1 },
    gives: "conflict",
  },
  {
    why: "a version is left out",
    current: booking(),
    next: { state: "cancelled", version: 3 },
    gives: "conflict",
  },
  {
    why: "ended in an hour",
    current: booking({ state: "open" }),
    next: { state: "ended", version: 2, toMs: NOW + 3_600_000 },
    gives: "conflict",
  },
];
for (const row of MOVES) {
  test(`a booking's next version, ${row.why}: ${row.gives}`, () => {
    const { mac: _, ...fields } = row.current;
    const got = codeOf(() => checkBookingMove(row.current, { ...fields, ...row.next }, NOW));
    assert.is(got, row.gives);
  });
}

test("a new booking begins reserved, ends in the future, and lasts no more than a year", () => {
  const { mac: _, ...fields } = booking();
  const made = (more: Partial<BookingFields>): ErrorCode | "ok" =>
    codeOf(() => checkNewBooking({ ...fields, ...more }, NOW));
  assert.is(made({}), "ok");
  assert.is(made({ state: "open" }), "malformed");
  assert.is(made({ version: 2 }), "malformed");
  assert.is(made({ toMs: FROM }), "malformed");
  assert.is(made({ toMs: NOW }), "malformed");
  assert.is(made({ toMs: FROM + 367 * 86_400_000 }), "malformed");
});

const EXPIRY = [
  { why: "just announced", sinceMs: 0, lifeMs: 10_000, gives: 15_000 },
  { why: "a minute ago", sinceMs: 60_000, lifeMs: 10_000, gives: 75_000 },
  { why: "never beyond what a car accepts", sinceMs: 0, lifeMs: 60_000, gives: 35_000 },
  { why: "the cloud's clock went back", sinceMs: -60_000, lifeMs: 10_000, gives: 15_000 },
];
for (const row of EXPIRY) {
  test(`expiry on the session clock, ${row.why}`, () => {
    const announced = { sessionMs: 5000, receivedAtMs: 1_000_000 };
    const got = expiryOnSessionClock(announced, 1_000_000 + row.sinceMs, row.lifeMs);
    assert.is(got, row.gives);
  });
}

test.run();
