import { createSocketCanBus, FILTERS_MAX, filtersFor } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { runScenarios } from "../../support/guest.ts";
import { realClock, realRandom } from "../../support/runtime.ts";

const guest = needs("user-mode-linux", "can-utils", "iproute2", "kmod");

guest("a real bus: frames of every kind, a busy agent, filters, a killed receiver", async () => {
  const results = await runScenarios("exchange", "busy_agent", "filters", "killed_receiver");
  const exchange = JSON.stringify(results.get("exchange"));
  for (const expected of [
    "123 false data false 1122",
    "18daf110 true data false 01",
    "7ff false remote false ",
    "123 false data true 112233445566778899aabbcc",
    "0 false data false ",
    '"refused":{"sent":false,"reason":"id 417001744: expected 0 to 2047',
    '"sent":[{"sent":true},{"sent":true}]',
    "vcan0 18DAF110#0102",
    "vcan0 123##4030303030303030303030303",
    '"received":5,"sent":2,"lost":0,"notSent":1',
  ]) {
    assert.ok(exchange.includes(expected), `${expected} in ${exchange}`);
  }
  assert.equal(results.get("busy_agent"), { received: 1500, gaps: 0, lost: 0 });
  assert.equal(results.get("filters"), ["100", "18daf110", "cfef344"]);
  assert.equal(results.get("killed_receiver"), { ids: [0x55], left: "" });
});

test("filters keep 11-bit and 29-bit ids apart, match J1939 groups, and give way when too many", () => {
  const passes = (id: number, filters: ReturnType<typeof filtersFor>): boolean =>
    filters.some(({ id: wanted, mask }) => (id & mask) >>> 0 === (wanted & mask) >>> 0);
  const EXT = 0x8000_0000;
  const RTR = 0x4000_0000;
  const rows: readonly [why: string, id: number, expected: boolean][] = [
    ["the id itself", 0x100, true],
    ["another", 0x101, false],
    ["the same number of 29 bits", 0x100 + EXT, false],
    ["a remote frame", 0x100 + RTR, false],
    ["29 bits", 0x18daf110 + EXT, true],
    ["its source differs", 0x18daf111 + EXT, false],
    ["a group from any source, at any priority", 0x0cfef344 + EXT, true],
    ["another group", 0x18fef21c + EXT, false],
    ["a group to one, from any source to any", 0x18ea21f9 + EXT, true],
    ["another group to one", 0x18eb21f9 + EXT, false],
  ];
  const filters = filtersFor([
    { id: 0x100, ext: false },
    { id: 0x18daf110, ext: true },
    { id: 0x18fef31c, ext: true, j1939: true },
    { id: 0x18eafffe, ext: true, j1939: true },
  ]);
  for (const [why, id, expected] of rows) assert.is(passes(id, filters), expected, why);
  const many = Array.from({ length: FILTERS_MAX + 1 }, (_, id) => ({ id, ext: false }));
  assert.equal(filtersFor(many), [], "then everything passes");
});

test("a name that no interface has is refused", () => {
  for (const name of ["", "../etc", "a..b", "can0 ", "-can", "averyverylongname"]) {
    const open = (): unknown =>
      createSocketCanBus({ interface: name, clock: realClock, random: realRandom });
    assert.throws(open, /expected a name such as can0/, JSON.stringify(name));
  }
});

test.run();
