/** What is under way, overdue and at rest, as a table of moments. */
import { createFlight } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";

const LIMITS = { windowSegments: 2, ackTimeoutMs: 100, resendMsMax: 350 };

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

test.run();
