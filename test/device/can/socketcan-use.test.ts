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
  const car = Object(results.get("car"));
  assert.ok(car.received > 60, `${car.received} of 120`);
  assert.equal([car.lost, car.ignored], [0, 0]);
  // On a busy machine it takes the car longer, and then the trip may be over too.
  for (const kind of ["door.changed", "ignition.changed", "lock.changed", "trip.started"]) {
    assert.ok(car.kinds.includes(kind), `${kind} in ${car.kinds}`);
  }
});

test.run();
