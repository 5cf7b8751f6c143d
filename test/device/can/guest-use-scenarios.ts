/** What is done with a real bus: diagnosis over ISO-TP, a technician's table, a car's signals and events. */
import { spawn } from "node:child_process";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  busFiltersOf,
  createCollector,
  createIsoTpLink,
  createSignalStore,
  createSocketCanBus,
  IsoTpError,
  type IsoTpLink,
  readShippedProfile,
  runCan,
} from "@kerbside/can";
import { CarFrames } from "../../support/car-frames.ts";
import { realClock, realRandom } from "../../support/runtime.ts";
import { Ear, type Scenarios, sleep, until } from "./guest-ear.ts";

const DBC = fileURLToPath(
  new URL("../../../device/can/profiles/kerbside-sim/kerbside-sim.dbc", import.meta.url),
);

/** A listener of can-utils, and what it says. */
function tool(
  command: string,
  ...args: readonly string[]
): { text: () => string; end: () => void } {
  const child = spawn("stdbuf", ["-oL", command, ...args], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += String(chunk);
  });
  return { text: () => text, end: () => child.kill() };
}

class Peer {
  readonly messages: string[] = [];
  readonly link: IsoTpLink;
  readonly #ear: Ear;
  #given = 0;

  constructor(txId: number, rxId: number, ext: boolean) {
    this.#ear = new Ear("vcan0");
    this.link = createIsoTpLink({
      ...{ txId, rxId, ext, clock: realClock },
      offer: { blockSize: 4, separationMs: 1 },
      send: (frame) => this.#ear.bus.send(frame),
      onMessage: (message) => this.messages.push(Buffer.from(message).toString("hex")),
    });
  }

  async ready(): Promise<void> {
    await this.#ear.reaches("up");
  }

  /** Hands the link what came since. */
  pump(): void {
    for (const frame of this.#ear.frames.slice(this.#given)) this.link.take(frame);
    this.#given = this.#ear.frames.length;
  }

  async stop(): Promise<void> {
    this.link.close();
    await this.#ear.bus.stop();
  }
}

/** The protocol gives up after a second without an answer, and a busy machine may hold the guest for longer. */
const ATTEMPTS = 4;

async function transfer(ids: readonly [number, number], ext: boolean): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transferOnce(ids, ext);
    } catch (error) {
      if (!(error instanceof IsoTpError) || attempt === ATTEMPTS) throw error;
    }
  }
}

async function transferOnce(ids: readonly [number, number], ext: boolean): Promise<unknown> {
  const [request, answer] = ids.map((id) => id.toString(16).toUpperCase());
  const dump = tool("isotpdump", "-s", request ?? "", "-d", answer ?? "", "vcan0");
  const perf = tool("isotpperf", "-s", request ?? "", "-d", answer ?? "", "vcan0");
  const [tester, unit] = [new Peer(ids[0], ids[1], ext), new Peer(ids[1], ids[0], ext)];
  await Promise.all([tester.ready(), unit.ready(), sleep(500)]);
  const pump = setInterval(() => {
    tester.pump();
    unit.pump();
  }, 5);
  const message = Uint8Array.from({ length: 100 }, (_, i) => i);
  try {
    await tester.link.send(message);
    await unit.link.send(Uint8Array.of(1, 2, 3));
    await until(() => unit.messages.length === 1 && tester.messages.length === 1);
    await until(() => dump.text().includes("[SF]") && dump.text().includes("[CF] sn: E"));
    await until(() => perf.text().includes("byte in"));
  } finally {
    clearInterval(pump);
    await tester.stop();
    await unit.stop();
    dump.end();
    perf.end();
  }
  const kinds = dump.text().match(/\[(?:SF|FF|CF|FC)\][^-\n]*/g) ?? [];
  return {
    received: unit.messages[0] === Buffer.from(message).toString("hex"),
    back: tester.messages,
    kinds: kinds.map((kind) => kind.trim().replace(/\s+/g, " ")),
    perf: /\(BS:[^)]*\) *: *\d+ byte/.exec(perf.text())?.[0].replace(/\s+/g, " "),
  };
}

/** Of what the car says. */
const ROUNDS = 40;

export const USE_SCENARIOS: Scenarios = {
  isotp: () => transfer([0x7e0, 0x7e8], false),
  isotp_29_bits: () => transfer([0x18da10f1, 0x18daf110], true),
  monitor: async () => {
    const ending = new AbortController();
    let text = "";
    const stdout = new Writable({
      write: (chunk, _encoding, done) => {
        text += String(chunk);
        done();
      },
    });
    const stdin = (async function* (): AsyncGenerator<Uint8Array> {})();
    const args = ["monitor", "--dbc", DBC, "--bus", "vcan0", "--json", "--interval", "100"];
    const running = runCan(args, { stdin, stdout, stderr: stdout, signal: ending.signal });
    const { dbc } = readShippedProfile("kerbside-sim");
    const car = new Ear("vcan0");
    await car.reaches("up");
    const { id = 0, ext = false } = dbc.named("SPEED")?.message ?? {};
    // The monitor has a receiver of its own, which takes its time to come up.
    for (let i = 0; i < 200 && !text.includes('"message":"SPEED"'); i++) {
      car.bus.send({ id, ext, data: Uint8Array.of(0x09, 0xc4, 0, 0, 0, 0, 0, 0) });
      await sleep(100);
    }
    ending.abort();
    const status = await running;
    await car.bus.stop();
    const lines = text.split("\n").filter((line) => line.startsWith("{"));
    return { status, last: JSON.parse(lines.at(-1) ?? "{}") };
  },
  car: async () => {
    const profile = readShippedProfile("kerbside-sim");
    const store = createSignalStore({ profile, clock: realClock });
    const kinds: string[] = [];
    const collector = createCollector({
      ...{ profile, store, clock: realClock },
      emit: ({ kind }) => kinds.push(kind),
    });
    const agent = createSocketCanBus({
      ...{ interface: "vcan1", clock: realClock, random: realRandom },
      filters: busFiltersOf(profile),
    });
    const frames = new CarFrames(profile, realClock);
    agent.start({ frames: (some) => store.ingest(some), event: () => undefined });
    const car = new Ear("vcan1");
    await car.reaches("up");
    await until(() => agent.state() === "up");
    for (let i = 0; i < ROUNDS; i++) {
      const Terminal = i < 20 ? "ON" : "OFF";
      const doors = { DoorDriver: i < 30 ? "closed" : "open" };
      car.bus.send(frames.make("SPEED", { VehicleSpeed: i < 15 ? 25 : 0 }));
      car.bus.send(frames.make("IGNITION", { Terminal }));
      car.bus.send(frames.make("DOORS", doors));
      // Not for this car: the kernel keeps it away.
      car.bus.send({ id: 0x7aa, ext: false, data: new Uint8Array(8) });
      await sleep(50);
    }
    // What was late, on a busy machine, was not sent, and is told of.
    await until(() => agent.stats().received + car.bus.stats().notSent >= 3 * ROUNDS);
    const { received, lost } = agent.stats();
    await agent.stop();
    await car.bus.stop();
    collector.close();
    const { ignored } = store.stats();
    store.close();
    return { received, lost, ignored, kinds: [...new Set(kinds)].sort() };
  },
};
