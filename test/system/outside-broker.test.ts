/**
 * The whole system over a broker that is not ours (mosquitto): nothing is lost or doubled, commands are answered, a car
 * that vanishes is away by the broker's word, and cloud and broker may each go and come back.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../support/debian.ts";
import { type Mosquitto, mosquittoFor } from "../support/mosquitto.ts";
import { holesAndDoubles, World } from "../support/world.ts";

needs("mosquitto")("a car and its cloud work through mosquitto", async () => {
  await using stack = new AsyncDisposableStack();
  let made: Mosquitto | undefined;
  const world = stack.use(
    await World.cloudOnly(async (paths) => {
      made = stack.use(await mosquittoFor(paths));
      return ["--broker", made.file];
    }),
  );
  if (made === undefined) throw new Error("no broker");
  const broker = made;
  assert.is(world.ports.broker, broker.port, "the ready line names where cars connect to");
  await world.join();
  const completed = (count: number): Promise<void> =>
    world.until(`${count} commands are in the store`, async () => {
      const done = (await world.rows()).filter(({ kind }) => kind === "command.completed");
      return done.length >= count;
    });
  const held = await world.booking();
  assert.is((await world.command("unlock", held))["state"], "executed");

  // The cloud is gone for a while: what the car says meanwhile is there afterwards, once.
  await world.cloud.program.kill();
  for (const open of [true, false])
    await world.cockpit("/api/action", { type: "door", leaf: "driver", open });
  await world.startCloud();
  assert.is((await world.command("lock", held))["state"], "executed");

  // The broker is gone for a while: so is the car, for the cloud's callers; then all goes on.
  await broker.stop();
  const away = JSON.stringify(await world.command("unlock", held));
  assert.match(away, "vehicle_offline");
  assert.match(away, '"mayHaveSucceeded":false');
  await broker.run();
  await world.until("unlocked again", async () => {
    return (await world.command("unlock", held))["state"] === "executed";
  });

  // Written down on the car after its answer: whoever kills it sooner may take the event with it (not the result).
  await completed(3);

  // The car vanishes without a word: the broker says it for it.
  await world.agent.kill();
  await world.online(false);
  await world.startAgent();
  assert.is((await world.command("lock", held))["state"], "executed");
  await completed(4);
  assert.equal(holesAndDoubles(await world.rows()), []);
});

test.run();
