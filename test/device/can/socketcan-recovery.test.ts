import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { runScenarios } from "../../support/guest.ts";

const guest = needs("user-mode-linux", "can-utils", "iproute2", "kmod", "socat");

guest(
  "an interface that is missing, down, deleted, made anew, silent, passive, bus-off",
  async () => {
    const results = await runScenarios("coming_and_going", "bus_off");
    assert.equal(results.get("coming_and_going"), {
      ids: [1, 2, 3, 4],
      states: ["down", "up", "down", "up", "down", "up", "silent", "up", "stopped"],
      early: { sent: true },
      notSent: ["the interface did not take it"],
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
