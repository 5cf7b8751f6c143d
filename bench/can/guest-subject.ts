/**
 * One side of the comparison in the guest: receives what comes on vcan0, and prints how many frames it had whenever it
 * gets SIGUSR2, and first of all once it is ready for that. Argument: `bare`, a loop over socketcan as its manual has it, or `kerbside`.
 */
import { createSignalStore, createSocketCanBus } from "@kerbside/can";
import { systemClock, systemRandom } from "@kerbside/protocol";
import { benchProfile } from "./store-rows.ts";

let frames = 0;

async function bare(): Promise<void> {
  const { createRawChannel } = await import("socketcan");
  const channel = createRawChannel("vcan0", true);
  channel.addListener("onMessage", () => {
    frames += 1;
  });
  channel.start();
}

function kerbside(): void {
  const clock = systemClock(() => performance.now());
  const store = createSignalStore({ profile: benchProfile(), clock });
  const bus = createSocketCanBus({ interface: "vcan0", clock, random: systemRandom });
  bus.start({
    frames: (some) => {
      frames += some.length;
      store.ingest(some);
    },
    event: () => undefined,
  });
}

const say = (): boolean => process.stdout.write(`${frames}\n`);
process.on("SIGUSR2", say);
if (process.argv[2] === "bare") await bare();
else kerbside();
say();
