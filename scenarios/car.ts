/** The body of a simulated world's car: its control units, its lock controller, its reader, in this process. */
import { type Clock, type Random, utf8 } from "@kerbside/protocol";
import type { DriveEnd, Json } from "@kerbside/sim";
import {
  type Action,
  bookingScript,
  createControlUnits,
  type MemoryLine,
  makeRoute,
  memoryLine,
  newCar,
  newWorld,
  type Peer,
  type Reader,
  Simulation,
  STEP_MS_MAX,
  type Surroundings,
  serveLock,
  serveReader,
  stateView,
  TRAVEL,
} from "@kerbside/sim";
import type { WiredBus } from "./bus.ts";

/** Twenty pictures a second are as many as the agent can tell apart. */
const TURN_MS = 50;
/** Buses of parked cars go to sleep after a minute or so. */
const BUS_AWAKE_MS = 60_000;

export type SimulatedCar = {
  readonly simulation: Simulation;
  readonly lock: MemoryLine;
  readonly reader: MemoryLine;
  readonly modem: MemoryLine;
  /** A message comes in at its modem. */
  readonly ring: () => void;
  readonly tap: Reader["tap"];
  readonly view: () => Json;
  readonly act: (action: Action) => string | undefined;
  readonly drive: (ms: number, kmhMax: number) => Promise<DriveEnd>;
  /** How many frames it has sent. */
  readonly frames: () => number;
  readonly close: () => Promise<void>;
};

export async function startCar(options: {
  readonly seed: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly pairingKey: Uint8Array;
  readonly readerKey: Uint8Array;
  /** Who listens now, if anybody does. */
  readonly bus: () => WiredBus | undefined;
}): Promise<SimulatedCar> {
  const { seed, clock, random, pairingKey, readerKey } = options;
  const around: Surroundings = { route: makeRoute(), travel: TRAVEL };
  const units = createControlUnits(around.route);
  const [lockLine, readerLine, modemLine] = [
    memoryLine(clock),
    memoryLine(clock),
    memoryLine(clock),
  ];
  const ring = await openModem(modemLine);
  let frames = 0;
  let unplugged = false;
  let isWaiting = false;
  const lock = await serveLock({
    path: lockLine.open,
    ...{ pairingKey, clock, random },
    onMessage: (message) => simulation.receiveLock(message),
    isAwake: () => simulation.world.controller.phase.value !== "starting",
  });
  const reader = await serveReader({ path: readerLine.open, pairingKey: readerKey, clock, random });
  const simulation = new Simulation({
    world: newWorld(newCar(seed)),
    ...{ around, units, clock },
    turnMs: TURN_MS,
    stepMs: STEP_MS_MAX,
    busAwakeMs: BUS_AWAKE_MS,
    sendFrame: (frame) => {
      frames += 1;
      options.bus()?.take(frame);
      if (isWaiting) return;
      isWaiting = true;
      // After the turn that sends them.
      queueMicrotask(() => {
        isWaiting = false;
        options.bus()?.flush();
      });
    },
    sendLock: (message) => lock.send(message),
    save: () => undefined,
    onReset: () => lock.reset(),
    onStep: ({ car }) => {
      if (car.faults.linkUnplugged === unplugged) return;
      unplugged = car.faults.linkUnplugged;
      lock.unplug(unplugged);
    },
  });
  simulation.start();
  return {
    simulation,
    lock: lockLine,
    reader: readerLine,
    modem: modemLine,
    ring,
    tap: (what) => reader.tap(what),
    frames: () => frames,
    view: () =>
      stateView({
        simulation,
        units,
        around,
        lock,
        reader,
        bus: { clients: () => 1 },
      }),
    act: (action) => {
      const outcome = simulation.act(action);
      return outcome.done ? undefined : outcome.why;
    },
    drive: (ms, kmhMax) => driven(simulation, ms, kmhMax),
    close: async () => {
      simulation.stop();
      await reader.close();
      await lock.close();
    },
  };
}

/** A modem that only rings. */
async function openModem(line: MemoryLine): Promise<() => void> {
  let peer: Peer | undefined;
  await line.open((connected) => {
    peer = connected;
    return { data: () => undefined, closed: () => undefined };
  });
  // 3GPP TS 27.005 clause 3.4.1.
  return () => peer?.write(utf8('\r\n+CMTI: "SM",1\r\n'));
}

async function driven(simulation: Simulation, ms: number, kmhMax: number): Promise<DriveEnd> {
  const end = await (simulation.runScript(bookingScript(ms, kmhMax)) ?? Promise.resolve(undefined));
  if (end === undefined) return { done: false, why: "another drive goes on" };
  if (end.value === "finished") return { done: true };
  return {
    done: false,
    why: end.value === "failed" ? `${end.words}: ${end.why}` : "interrupted",
  };
}
