import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { runScenarios } from "../../support/guest.ts";

const guest = needs("user-mode-linux", "can-utils", "iproute2", "kmod");

guest("on a real bus: a technician's table, a car's events", async () => {
  const results = await runScenarios("monitor", "car");
  const { status, last } = Object(results.get("monitor"));
  assert.is(status, 0);
  assert.is(last.message, "SPEED");
  assert.is(last.bus, "vcan0");
  assert.is(last.signals.VehicleSpeed, 25);
  assert.equal(results.get("car"), {
    received: 120,
    lost: 0,
    kinds: ["door.changed", "ignition.changed", "lock.changed", "trip.started"],
  });
});

test.run();
