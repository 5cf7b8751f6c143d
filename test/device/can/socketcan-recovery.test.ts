import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { runScenarios } from "../../support/guest.ts";

const guest = needs("user-mode-linux", "can-utils", "iproute2", "kmod", "socat");

guest(
  "an interface that is missing, down, deleted, made anew, silent, passive, bus-off",
  async () => {
    const results = await runScenarios("coming_and_going", "bus_off");
    const { early, notSent, ...seen } = Object(results.get("coming_and_going"));
    // Whoever notices first says why: the interface, the receiver or the bus itself.
    const reasons = ["the interface did not take it", "the bus is down"];
    const told = early.sent ? notSent : [early.reason];
    assert.is(told.length, 1);
    assert.ok(reasons.includes(told[0]), told[0]);
    assert.equal(seen, {
      ids: [1, 2, 3, 4],
      states: ["down", "up", "down", "up", "down", "up", "silent", "up", "stopped"],
      sent: { sent: false, reason: "the bus is down" },
    });
    assert.equal(results.get("bus_off"), {
      states: ["down", "up", "passive", "busOff", "up", "down", "stopped"],
      sent: { sent: false, reason: "the bus is busOff" },
      again: { sent: true },
    });
  },
);

test.run();
