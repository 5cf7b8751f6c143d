/** What is under way, overdue and at rest, as a table of moments. */
import { createFlight } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";

const LIMITS = { windowSegments: 2, ackTimeoutMs: 100, resendMsMax: 350, probeMsMax: 350 };

test("the window is full until something is acknowledged or overdue", () => {
  const flight = createFlight(LIMITS);
  flight.sent(1, 0);
  flight.sent(2, 0);
  assert.not(flight.room());
  flight.acknowledged([1]);
  assert.ok(flight.room());
  assert.is(flight.expire(99), 0);
  assert.is(flight.expire(100), 1);
  assert.is(flight.underWay(), 0);
});

test("the first time it is sent again at once, then it rests, twice as long each time, up to a bound", () => {
  const flight = createFlight(LIMITS);
  let now = 0;
  const rests: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    flight.sent(7, now);
    now += LIMITS.ackTimeoutMs;
    assert.is(flight.expire(now), 1);
    const until = flight.skip().has(7) ? (flight.nextMs() ?? now) : now;
    rests.push(until - now);
    now = until;
    flight.expire(now);
    assert.not(flight.skip().has(7));
  }
  assert.equal(rests, [0, 100, 200, 350, 350]);
});

test("one that rests stands in nobody's way", () => {
  const flight = createFlight(LIMITS);
  for (const now of [0, 100]) {
    flight.sent(1, now);
    flight.expire(now + 100);
  }
  assert.ok(flight.skip().has(1) && flight.room());
  assert.is(flight.underWay(), 0);
});

test("on a new connection all is sent again but what rests", () => {
  const flight = createFlight(LIMITS);
  for (const now of [0, 100]) {
    flight.sent(1, now);
    flight.expire(now + 100);
  }
  flight.sent(2, 200);
  flight.restart();
  assert.equal([...flight.skip()], [1]);
  assert.is(flight.underWay(), 0);
});

test("an acknowledgement wipes what was held against it", () => {
  const flight = createFlight(LIMITS);
  for (const now of [0, 100]) {
    flight.sent(1, now);
    flight.expire(now + 100);
  }
  flight.acknowledged([1]);
  assert.equal([...flight.skip()], []);
  assert.is(flight.nextMs(), undefined);
});

/** Sends whatever there is room for, of a backlog without end, for so long; returns how many. */
function outage(flight: ReturnType<typeof createFlight>, fromMs: number, ms: number): number {
  let sent = 0;
  for (let now = fromMs; now < fromMs + ms; now += 10) {
    flight.expire(now);
    for (let key = 1; flight.room() && key < 1000; key += 1) {
      if (flight.skip().has(key)) continue;
      flight.sent(key, now);
      sent += 1;
    }
  }
  return sent;
}

test("a store that is down behind a broker that works is asked by one segment at a time, ever more seldom", () => {
  const flight = createFlight({ ...LIMITS, windowSegments: 16 });
  // One window, then probes of 100 ms after rests of 100, 200 and 350.
  assert.is(outage(flight, 0, 450 * 20 + 600), 16 + 2 + 20);
});

test("an acknowledgement opens the window again, late ones too", () => {
  for (const late of [false, true]) {
    const flight = createFlight(LIMITS);
    outage(flight, 0, 1000);
    assert.not(flight.room());
    const [underWay] = [...flight.skip()];
    flight.acknowledged(late ? [2] : [underWay ?? 0]);
    assert.ok(flight.room());
    flight.sent(50, 1000);
    assert.ok(late || flight.room(), "more than one");
  }
});

test("while a store is down one segment of critical is tried beyond what rests, and a new connection is asked at once", () => {
  const flight = createFlight(LIMITS);
  for (const key of [1, 2]) flight.sent(key, 0);
  flight.expire(100);
  assert.is(flight.underWay(), 0);
  assert.not(flight.room());
  assert.ok(flight.room(4));
  flight.sent(3, 100);
  assert.not(flight.room(4));
  flight.restart();
  assert.ok(flight.room());
  flight.sent(4, 110);
  assert.not(flight.room());
});

test.run();
