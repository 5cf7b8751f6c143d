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
/** A question is given 100 ms, which a machine full of other tests may not have: asked again up to 20 times. */
async function answered(client: DiagnosisClient, request: Uint8Array): Promise<Uint8Array> {
  for (let left = 20; left > 0; left -= 1) {
    const reply = await client.ask(request);
    if (reply.kind === "positive") return reply.data;
    assert.is(reply.kind, "silence", JSON.stringify(reply));
  }
  throw new Error("asked 20 times, not answered once");
}

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
    const lock = moduleOf(dataDir);
    try {
      await until("the bus is up", () => bus.state() === "up");
      assert.is((await client.ask(SERVICES.vin.request)).kind, "silence", "the ignition is off");
      await lock.actuate("unlock", 1);
      for (const action of GETTING_IN)
        assert.is(drive.simulation.act(action).done, true, action.type);
      const { car } = drive.simulation.world;
      const vin = await answered(client, SERVICES.vin.request);
      assert.match(String(SERVICES.vin.read(vin)), /^[A-HJ-NPR-Z0-9]{17}$/);
      const told = Number(
        SERVICES.odometer.read(await answered(client, SERVICES.odometer.request)),
      );
      assert.ok(Math.abs(told - car.motion.odometerM) <= 100, `${told}`);
    } finally {
      lock.close();
      client.close();
      await bus.stop();
    }
  });
});

test.run();
