/** What callers may ask and what a booking allows, every cell of it: the tables of the code against what was agreed. */
import {
  ACT_TABLE,
  type BookingFields,
  bookingIdOf,
  COMMAND_LIFE_MS_DEFAULT,
  checkBooking,
  checkBookingMove,
  checkExtras,
  checkNewBooking,
  checkNewEnd,
  checkScopes,
  expiryOnSessionClock,
  grantIdOf,
  HOLDER_PATTERN,
  moveByCar,
} from "@kerbside/commands";
import {
  ACTIONS,
  type Action,
  type BookingRecord,
  type BookingState,
  type ErrorCode,
  ProtocolError,
  tenantId,
  toHex,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const CAR = vehicleId("car-1");
const FROM = 10_000_000;
const TO = 20_000_000;
const NOW = 15_000_000;
const AFTER_END_MS = 900_000;
const YEAR_MS = 31_622_400_000;
const STATES: readonly BookingState[] = ["reserved", "open", "ended", "cancelled"];
const booking = (more: Partial<BookingRecord> = {}): BookingRecord => ({
  ...{ booking: "b-1", vehicle: CAR, holder: "person-1", fromMs: FROM, toMs: TO },
  ...{ state: "reserved", version: 1, mac: new Uint8Array(32), ...more },
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

const ORDINARY = { backend: "needed", staff: "optional" } as const;
/** By action: who may ask, and who must name a booking. */
const MAY_ASK: Readonly<Record<Action, (typeof ACT_TABLE)[Action]>> = {
  lock: ORDINARY,
  unlock: ORDINARY,
  trunk: ORDINARY,
  find: ORDINARY,
  release: ORDINARY,
  unlock_and_release: ORDINARY,
  lock_and_immobilise: ORDINARY,
  cancel: ORDINARY,
  end_rental: { backend: "needed", staff: "needed" },
  immobilise: { backend: "never", staff: "optional" },
  terminate: { backend: "never", staff: "needed" },
};
const SCOPE = { backend: "commands:write", staff: "commands:operate" } as const;

test("who may ask for what, with a booking and without, by every set of scopes", () => {
  assert.equal(ACT_TABLE, MAY_ASK);
  const askers = [[], ["backend"], ["staff"], ["backend", "staff"]] as const;
  for (const action of ACTIONS) {
    for (const who of askers) {
      const scopes = new Set<string>(["commands:read", ...who.map((one) => SCOPE[one])]);
      for (const named of [true, false]) {
        const may = who.some((one) => {
          const needs = MAY_ASK[action][one];
          return needs === "optional" || (needs === "needed" && named);
        });
        const got = codeOf(() => checkScopes(scopes, action, named));
        assert.is(got, may ? "ok" : "forbidden", `${action} by ${who.join()}, booking ${named}`);
      }
    }
  }
});

test("only what has to find the car standing may wait for that, and only cancel has a target", () => {
  const waits: readonly Action[] = ["immobilise", "lock_and_immobilise", "terminate"];
  for (const action of ACTIONS) {
    const isCancel = action === "cancel";
    const of = (armMs: number | undefined, hasTarget: boolean) =>
      codeOf(() => checkExtras(action, { armMs, hasTarget }));
    assert.is(of(undefined, isCancel), "ok", action);
    assert.is(of(undefined, !isCancel), "malformed", action);
    assert.is(of(1000, isCancel), waits.includes(action) ? "ok" : "malformed", action);
  }
});

/** Just before the begin, at it, just before the end, at it, just before a quarter of an hour after it, and then. */
const MOMENTS = [FROM - 1, FROM, TO - 1, TO, TO + AFTER_END_MS - 1, TO + AFTER_END_MS] as const;
type Cells = Readonly<Record<BookingState, string>>;
const NEVER = "------";
const ALWAYS = "++++++";
const BEGUN = "-+++++";
const UNTIL_AFTER_END = "+++++-";
const IN_WINDOW = "-++---";
const OPENING: Cells = { reserved: IN_WINDOW, open: IN_WINDOW, ended: NEVER, cancelled: NEVER };
const SHUTTING: Cells = {
  ...{ reserved: IN_WINDOW, open: ALWAYS, ended: UNTIL_AFTER_END, cancelled: NEVER },
};
const ANY: Cells = { reserved: ALWAYS, open: ALWAYS, ended: ALWAYS, cancelled: ALWAYS };
const ALLOWED: Readonly<Record<Action, Cells>> = {
  unlock: OPENING,
  trunk: OPENING,
  release: OPENING,
  unlock_and_release: OPENING,
  lock: SHUTTING,
  find: SHUTTING,
  lock_and_immobilise: SHUTTING,
  end_rental: { reserved: BEGUN, open: ALWAYS, ended: UNTIL_AFTER_END, cancelled: NEVER },
  cancel: ANY,
  immobilise: ANY,
  terminate: { reserved: BEGUN, open: ALWAYS, ended: ALWAYS, cancelled: BEGUN },
};

test("when a booking allows what, in every state and at every edge of its time", () => {
  for (const action of ACTIONS) {
    for (const state of STATES) {
      const cells = MOMENTS.map((nowMs) => {
        const asked = { vehicle: CAR, action, nowMs };
        return codeOf(() => checkBooking(booking({ state }), asked)) === "ok" ? "+" : "-";
      });
      assert.is(cells.join(""), ALLOWED[action][state], `${action}, ${state}`);
    }
  }
});

test("a booking moves by what the car says it has done, and by nothing else", () => {
  for (const action of ACTIONS) {
    const opens = action === "unlock" || action === "unlock_and_release";
    const ends = action === "end_rental" || action === "terminate";
    const by = STATES.map((state) => moveByCar(action, state));
    const end = ends ? "ended" : undefined;
    assert.equal(by, [opens ? "open" : end, end, undefined, undefined], action);
  }
});

test("a new booking, at the edges of its times", () => {
  const { mac: _, ...fields } = booking();
  const made = (fromMs: number, toMs: number): ErrorCode | "ok" =>
    codeOf(() => checkNewBooking({ ...fields, fromMs, toMs }, NOW));
  assert.is(made(NOW + 5, NOW + 6), "ok");
  assert.is(made(NOW + 5, NOW + 5), "malformed", "no time at all");
  assert.is(made(NOW + 5, NOW + 4), "malformed", "ends before it begins");
  assert.is(made(FROM, FROM + YEAR_MS), "ok");
  assert.is(made(FROM, FROM + YEAR_MS + 1), "malformed", "over 366 days");
});

test("another end, in every state and at the edges of its times", () => {
  const to = (state: BookingState, fromMs: number, toMs: number): ErrorCode | "ok" =>
    codeOf(() => checkNewEnd({ state, fromMs }, toMs, NOW));
  assert.equal(
    STATES.map((state) => to(state, FROM, NOW + 1)),
    ["ok", "ok", "conflict", "conflict"],
  );
  assert.is(to("open", FROM, NOW), "malformed", "not in the future");
  assert.is(to("reserved", NOW + 10, NOW + 11), "ok");
  assert.is(to("reserved", NOW + 10, NOW + 10), "malformed");
  assert.is(to("reserved", NOW + 10, NOW + 9), "malformed", "before its begin");
  assert.is(to("open", FROM, FROM + YEAR_MS), "ok");
  assert.is(to("open", FROM, FROM + YEAR_MS + 1), "malformed", "over 366 days");
});

test("a booking's next version, at the edges", () => {
  const after = (current: Partial<BookingRecord>, next: Partial<BookingFields>) => {
    const { mac, ...fields } = booking(current);
    return codeOf(() =>
      checkBookingMove({ ...fields, mac }, { ...fields, version: 2, ...next }, NOW),
    );
  };
  const ended = { state: "ended" } as const;
  const later = { fromMs: NOW + 10 } as const;
  assert.is(after({}, { ...ended, toMs: NOW }), "ok", "ended before it was opened");
  assert.is(after({}, { ...ended, toMs: NOW, booking: "b-2" }), "conflict", "another booking's");
  assert.is(after({}, { ...ended, toMs: NOW + 60_000 }), "ok");
  assert.is(after({}, { ...ended, toMs: NOW - 60_000 }), "ok");
  assert.is(after({}, { ...ended, toMs: NOW + 60_001 }), "conflict");
  assert.is(after({}, { ...ended, toMs: NOW - 60_001 }), "conflict");
  assert.is(after(later, { ...ended, toMs: NOW + 10 }), "ok");
  assert.is(after(later, { ...ended, toMs: NOW + 9 }), "conflict", "ended before it began");
});

test("holders are opaque ids", () => {
  for (const good of ["a", "person-1", "A.b_c:d-9", "x".repeat(64)])
    assert.ok(HOLDER_PATTERN.test(good), good);
  for (const bad of ["", " a", "a ", "-a", "a@b", "a b", "x".repeat(65)])
    assert.not(HOLDER_PATTERN.test(bad), bad);
});

test("ids follow from tenant, caller and key alone", () => {
  const demo = tenantId("demo");
  assert.is(bookingIdOf(demo, "backend", "k-1"), "b-386a26ef46dbe257d8bfe4a1");
  assert.is(toHex(grantIdOf(demo, "backend", "k-1")), "3180d79f6d41d59ad80cf52fd7bea556");
});

test("a command that is to live less than no time expires at once", () => {
  const announced = { sessionMs: 5000, receivedAtMs: 1_000_000 };
  assert.is(expiryOnSessionClock(announced, 1_000_000, -5), 5000);
  assert.is(COMMAND_LIFE_MS_DEFAULT, 10_000);
});

test.run();
