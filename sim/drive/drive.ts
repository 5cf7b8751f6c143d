/** One simulated car as a whole: its files, its bus and lock sockets, its cockpit; what `kerbside-sim drive` runs. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type BusServer, type CanFrame, serveBus } from "@kerbside/can";
import { type Clock, toHex } from "@kerbside/protocol";
import { createBodyComputer } from "../can/body-computer.ts";
import { type ControlUnits, createControlUnits } from "../can/control-units.ts";
import { type DiagnosisUnit, openDiagnosis } from "../can/diagnosis.ts";
import { makeRoute } from "../car/route.ts";
import { newCar } from "../car/state.ts";
import { type Cockpit, serveCockpit } from "../cockpit/server.ts";
import { WorldFaults } from "../cockpit/world-faults.ts";
import { isAwake, NEW_MEMORY } from "../lock/controller.ts";
import { type LockEndpoint, serveLock } from "../lock/endpoint.ts";
import { type Modem, serveModem } from "../modem/modem.ts";
import { type Reader, serveReader } from "../reader/reader.ts";
import { newWorld, type Surroundings, type Travel, type World } from "../world.ts";
import { readKey, readOrMakeKey } from "./keys.ts";
import { type OutsideOptions, openOutside } from "./outside.ts";
import { Simulation } from "./simulation.ts";
import { readState, type Saved, writeState } from "./state-file.ts";

export type DriveOptions = OutsideOptions & {
  readonly dataDir: string;
  /** Of a new car; one that is saved in the directory keeps its own. */
  readonly seed: number;
  /** 32 bytes as hexadecimal digits; made in the directory where no file is given. */
  readonly pairingKeyFile?: string;
  /** The same for the reader. */
  readonly readerKeyFile?: string;
  readonly travel: Travel;
  /** By which it speaks on its bus: a shipped one's name or a file; an electric one makes a new car electric. */
  readonly profile?: string;
  /** How long the bus of a car at rest stays awake, ms of its time; left out, it never sleeps. */
  readonly busAwakeMs?: number;
  /** The cockpit opens only with a certificate: there is no plaintext form of it. */
  readonly cockpit?: { readonly port: number; readonly certificate: string; readonly key: string };
};

export type Drive = {
  readonly simulation: Simulation;
  readonly canPath: string;
  readonly lockPath: string;
  readonly readerPath: string;
  readonly modemPath: string;
  /** A message comes in at its modem. */
  readonly message: Modem["message"];
  readonly cockpitKeyFile: string;
  readonly cockpitPort: number | undefined;
  /** Where the module connects to instead of the broker. */
  readonly networkPort: number | undefined;
  /** Saves the car and closes everything. */
  readonly close: () => Promise<void>;
};

/** sun_path of unix(7), less its end. */
const SOCKET_PATH_BYTES_MAX = 107;

/** Rejects with an Error that names the file, socket or port that stands in the way; nothing is left open then. */
export async function startDrive(options: DriveOptions): Promise<Drive> {
  const { dataDir, clock, random, cockpit } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const at = (name: string): string => join(dataDir, name);
  const [canPath, lockPath, statePath] = [at("can.sock"), at("lock.sock"), at("car.json")];
  const [readerPath, modemPath] = [at("reader.sock"), at("modem.sock")];
  checkLength(readerPath);
  const pairingKey = keyAt(options.pairingKeyFile, at("pairing.key"));
  const cockpitKey = toHex(readOrMakeKey(at("cockpit.key")));
  const around: Surroundings = { route: makeRoute(), travel: options.travel };
  const units = createControlUnits(around.route, options.profile);
  const saved = readState(statePath) ?? newlyBuilt(options.seed, units);

  const open: { close: () => Promise<void> }[] = [];
  try {
    let diagnosis: DiagnosisUnit | undefined;
    const body = lockByBus(clock, () => simulation);
    const onFrame = (frame: CanFrame): void => {
      diagnosis?.take(frame);
      body(frame);
    };
    const bus = await serveBus({ path: canPath, onFrame });
    open.push(bus);
    const lock = await serveLock({
      path: lockPath,
      pairingKey,
      clock,
      random,
      onMessage: (message) => simulation.receiveLock(message),
      isAwake: () => isAwake(simulation.world.controller),
    });
    open.push(lock);
    const reader = await openReader(options, at);
    open.push(reader);
    const modem = await serveModem(modemPath);
    open.push(modem);
    const outside = await openOutside(options, at("module.sock"));
    open.push(outside);
    const simulation = new Simulation({
      world: newWorld(saved.car, saved.memory),
      around,
      units,
      clock,
      sendFrame: (frame) => bus.send(frame),
      sendLock: (message) => lock.send(message),
      save: ({ car, controller }) => writeState(statePath, { car, memory: controller.memory }),
      onReset: () => lock.reset(),
      onStep: followPlugs(lock, bus),
      ...(options.busAwakeMs !== undefined && { busAwakeMs: options.busAwakeMs }),
    });
    const car = (): World["car"] => simulation.world.car;
    diagnosis = openDiagnosis({ car, send: (frame) => bus.send(frame), clock });
    open.push(diagnosis);
    const page = await openCockpit(cockpit, {
      ...{ simulation, bus, lock, reader, modem, units, around, clock, outside },
      worldFaults: new WorldFaults({ simulation, reader, ...outside, wallMs: clock.wallMs }),
      key: cockpitKey,
    });
    if (page !== undefined) open.push(page);
    simulation.start();
    return {
      simulation,
      canPath,
      lockPath,
      readerPath,
      modemPath,
      message: modem.message,
      cockpitKeyFile: at("cockpit.key"),
      cockpitPort: page?.port,
      networkPort: outside.network?.port,
      close: async () => {
        simulation.stop();
        await closeAll(open);
      },
    };
  } catch (error) {
    await closeAll(open);
    throw error;
  }
}

function newlyBuilt(seed: number, { powertrain }: ControlUnits): Saved {
  return {
    car: newCar(seed, powertrain === "electric" ? "electric" : "petrol"),
    memory: NEW_MEMORY,
  };
}

/** The body computer, where the connector of the bus is in and the bus carries frames. */
function lockByBus(clock: Clock, simulation: () => Simulation): (frame: CanFrame) => void {
  const body = createBodyComputer();
  return (frame) => {
    const { faults } = simulation().world.car;
    if (faults.canUnplugged || faults.busOff) return;
    const asked = body.take(frame, clock.bootMs());
    if (asked !== undefined) simulation().act({ type: "remoteLock", locked: asked === "lock" });
  };
}

/** The longest of the paths: what it has room for, the others have. */
function checkLength(path: string): void {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return;
  throw new Error(
    `${path}: longer than the ${SOCKET_PATH_BYTES_MAX} bytes that a socket's path may have`,
  );
}

function keyAt(given: string | undefined, made: string): Uint8Array {
  return given === undefined ? readOrMakeKey(made) : readKey(given);
}

function openReader(
  { readerKeyFile, clock, random }: DriveOptions,
  at: (name: string) => string,
): Promise<Reader> {
  const pairingKey = keyAt(readerKeyFile, at("reader.key"));
  return serveReader({ path: at("reader.sock"), pairingKey, clock, random });
}

async function closeAll(open: readonly { close: () => Promise<void> }[]): Promise<void> {
  for (const one of open.toReversed()) await one.close();
}

/** Keeps the plug of the lock link, and the state of the bus, as the fault switches have them. */
function followPlugs(lock: LockEndpoint, bus: BusServer): (world: World) => void {
  let unplugged = false;
  let isOff = false;
  return ({ car }) => {
    const { linkUnplugged, busOff } = car.faults;
    if (linkUnplugged !== unplugged) lock.unplug(linkUnplugged);
    if (busOff !== isOff)
      bus.pretend(busOff ? "busOff" : "up", busOff ? "too many errors" : "the bus is well again");
    unplugged = linkUnplugged;
    isOff = busOff;
  };
}

type CockpitParts = Omit<
  Parameters<typeof serveCockpit>[0],
  "port" | "certificate" | "privateKey" | "bus"
> & {
  readonly bus: BusServer;
};

function openCockpit(
  options: DriveOptions["cockpit"],
  parts: CockpitParts,
): Promise<Cockpit | undefined> {
  if (options === undefined) return Promise.resolve(undefined);
  const { port, certificate, key: privateKey } = options;
  return serveCockpit({ ...parts, port, certificate, privateKey });
}
