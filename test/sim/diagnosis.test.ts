import {
  ADDRESSES,
  createDiagnosisClient,
  createSocketBus,
  type DiagnosisClient,
  SERVICES,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock, realRandom } from "../support/runtime.ts";
import { until } from "../support/wait.ts";
import { makeCertificate, moduleOf, withRig } from "./rig.ts";

const GETTING_IN = [
  { type: "door", leaf: "driver", open: true },
  { type: "driver", where: "inside" },
  { type: "ignition", position: "ON" },
] as const;
const pem = await makeCertificate();

test("the simulated car answers diagnosis over its bus while the ignition is on", async () => {
  await withRig(pem, async ({ drive }, dataDir) => {
    const bus = createSocketBus({ path: drive.canPath, clock: realClock, random: realRandom });
    const client: DiagnosisClient = createDiagnosisClient({
      addresses: ADDRESSES["11bit"],
      send: (frame) => bus.send(frame),
      clock: realClock,
    });
    bus.start({
      frames: (frames) => {
        for (const frame of frames) client.take(frame);
      },
      event: () => undefined,
    });
    await until("the bus is up", () => bus.state() === "up");
    assert.is((await client.ask(SERVICES.vin.request)).kind, "silence", "the ignition is off");
    const lock = moduleOf(dataDir);
    await lock.until(() => lock.isReady);
    lock.send({ type: "actuate", actuationId: 1, action: "unlock" });
    await lock.until(() => lock.outcomes(1).length > 0);
    for (const action of GETTING_IN)
      assert.is(drive.simulation.act(action).done, true, action.type);
    lock.close();
    const { car } = drive.simulation.world;
    const vin = await client.ask(SERVICES.vin.request);
    if (vin.kind !== "positive") return assert.unreachable(JSON.stringify(vin));
    assert.match(String(SERVICES.vin.read(vin.data)), /^[A-HJ-NPR-Z0-9]{17}$/);
    const odometer = await client.ask(SERVICES.odometer.request);
    if (odometer.kind !== "positive") return assert.unreachable(JSON.stringify(odometer));
    const told = Number(SERVICES.odometer.read(odometer.data));
    assert.ok(Math.abs(told - car.motion.odometerM) <= 100, `${told}`);
    client.close();
    await bus.stop();
  });
});

test.run();
