/** What the cockpit shows, as JSON: one picture of the car, its controller, its bus. */
import type { BusServer } from "@kerbside/can";
import { toHex } from "@kerbside/protocol";
import type { ControlUnits } from "../can/control-units.ts";
import { chargePercent, fuelPercent, gnss, rangeKm, supplyV, vinOf } from "../can/signals.ts";
import { placeOn } from "../car/route.ts";
import { BOLTS, boltContact, CAR_FAULT_NAMES, CAR_FAULTS } from "../car/state.ts";
import { allLocked, isCharging } from "../car/step.ts";
import type { Outside } from "../drive/outside.ts";
import type { Simulation } from "../drive/simulation.ts";
import type { LockEndpoint } from "../lock/endpoint.ts";
import type { Modem } from "../modem/modem.ts";
import type { Reader } from "../reader/reader.ts";
import type { Surroundings } from "../world.ts";
import type { WorldFaults } from "./world-faults.ts";

export type ViewParts = {
  readonly simulation: Simulation;
  readonly units: ControlUnits;
  readonly around: Surroundings;
  readonly bus: Pick<BusServer, "clients">;
  readonly lock: Pick<LockEndpoint, "state">;
  readonly reader: Pick<Reader, "state" | "shown" | "tap">;
  readonly modem: Pick<Modem, "message">;
  readonly outside?: Pick<Outside, "network" | "module" | "moduleView" | "cloudView">;
  readonly worldFaults?: WorldFaults;
};

/** All but the modem is shown. */
export type StateParts = Omit<ViewParts, "modem">;

/** Everything but the frames. Numbers are rounded to what can be read off a dial. */
export function stateView({
  simulation,
  around,
  bus,
  lock,
  reader,
  outside,
  worldFaults,
}: StateParts): Readonly<Record<string, unknown>> {
  const { car, controller } = simulation.world;
  const place = placeOn(around.route, car.motion.routeM);
  const position = gnss(car, around.route);
  const progress = simulation.scriptProgress();
  return {
    timeMs: car.timeMs,
    speedFactor: simulation.speed,
    lostMs: Math.round(simulation.lostMs),
    vin: vinOf(car.seed),
    speedKmh: round(car.motion.speedMps * 3.6, 1),
    accelerationMps2: round(car.motion.accelerationMps2, 2),
    odometerM: Math.floor(car.motion.odometerM),
    rpm: Math.round(car.rpm),
    gear: car.gear,
    engine: car.engine.value,
    coolantC: round(car.coolantC, 1),
    drive: car.drive,
    fuelPercent: round(fuelPercent(car), 1),
    chargePercent: round(chargePercent(car) ?? 0, 1),
    cableConnected: car.cableConnected,
    charging: isCharging(car),
    rangeKm: round(rangeKm(car), 0),
    batteryV: round(supplyV(car), 2),
    ignition: car.ignition,
    selector: car.selector,
    parkingBrake: car.parkingBrake,
    accelerator: round(car.accelerator, 2),
    brake: round(car.brake, 2),
    driver: car.driver,
    belted: car.belted,
    lowBeam: car.lowBeam,
    holders: car.holders,
    calling: car.calling,
    open: car.open,
    windows: car.windows,
    bolts: Object.fromEntries(BOLTS.map((bolt) => [bolt, boltContact(car, bolt)])),
    locked: allLocked(car),
    startInhibited: car.startInhibited,
    place: {
      eastM: round(place.eastM, 1),
      northM: round(place.northM, 1),
      headingDegrees: round(place.headingDegrees, 1),
      street: place.street,
      limitKmh: place.limitKmh,
    },
    gnss: {
      fix: position.fix,
      latitude: round(position.latitude, 6),
      longitude: round(position.longitude, 6),
    },
    controller: {
      link: car.faults.linkUnplugged ? "unplugged" : lock.state(),
      phase: controller.phase.value,
      action: controller.phase.value === "pulse" ? controller.phase.action : null,
      resetCount: controller.memory.resetCount,
      recent: controller.memory.actuations.recent.map((one) => ({
        id: one.id,
        action: one.action,
        outcome: one.value === "ended" ? one.outcome : "running",
      })),
    },
    reader: { link: reader.state(), shown: reader.shown() ?? null },
    bus: { listeners: bus.clients(), plugged: !car.faults.canUnplugged },
    faults: [
      ...CAR_FAULT_NAMES.map((name) => ({ name, on: car.faults[name], words: CAR_FAULTS[name] })),
      ...(worldFaults?.shown() ?? []),
    ],
    module: moduleShown(outside),
    script: progress ?? null,
  };
}

/** What is known of the module and of the cloud; null where nobody looks into them. */
function moduleShown(outside: ViewParts["outside"]): Readonly<Record<string, unknown>> {
  const { network, module, moduleView, cloudView } = outside ?? {};
  return {
    supply: module?.state() ?? null,
    network: network === undefined ? null : { coverage: network.coverage(), ...network.counts() },
    lanes: moduleView?.lanes() ?? null,
    lanesProblem: moduleView?.problem() ?? null,
    commands: cloudView?.commands() ?? null,
    commandsProblem: cloudView?.problem() ?? null,
  };
}

/** The last frame of each message and page with its meaning. */
export function framesView({ simulation, units }: ViewParts): readonly unknown[] {
  return simulation.frames().map(({ message, page, id, ext, data, count, atMs }) => ({
    message,
    page,
    id: id
      .toString(16)
      .toUpperCase()
      .padStart(ext ? 8 : 3, "0"),
    ext,
    data: toHex(data).toUpperCase(),
    count,
    atMs,
    signals: units
      .read({ id, ext, data })
      .filter(({ name }) => !UNREADABLE.test(name))
      .map(({ name, value, unit }) => [
        name,
        typeof value === "number" ? round(value, 6) : value,
        unit,
      ]),
  }));
}

/** A VIN in pieces is no number to read. */
const UNREADABLE = /^Vin\d/;

function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
