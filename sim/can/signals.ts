/**
 * What the control units of the simulated car say: for each message of its DBC, the values at a moment. Which bits
 * carry them, how often and with which counters and checksums is for DBC and profile to say.
 */
import type { EncodeValues } from "@kerbside/can";
import { AVERAGE_KWH_PER_100_KM, MODEL, modelOf } from "../car/model.ts";
import { chance, PURPOSE, wander } from "../car/noise.ts";
import { placeOn, type Route, toWgs84 } from "../car/route.ts";
import { type Bolt, boltContact, type Car, contactOpen, type Leaf } from "../car/state.ts";
import { airTemperatureC } from "../car/step.ts";
import { TOWN_ORIGIN } from "../car/town.ts";

const MPS_TO_KMH = 3.6;
const UNAVAILABLE = "not available";
/** Error of a good receiver, metres, and how many satellites it sees. Between houses it hears echoes. */
const RECEPTION = {
  open: { errorM: 1.6, satellites: 11 },
  canyon: { errorM: 12, satellites: 6 },
  covered: undefined,
} as const;
/** Where a spoofed receiver believes to be, metres away. */
const SPOOFED_BY_M = { east: 41_000, north: -23_000 } as const;
/** It wanders with the way, not with time: receivers hold their position while the car stands. */
const GNSS_ERROR_WAY_M = 120;

/** `count`: how often the message was sent before; multiplexed messages turn their pages by it. */
type Speak = (car: Car, route: Route, count: number) => EncodeValues;

const kmh = (car: Car): number => car.motion.speedMps * MPS_TO_KMH;
/** As the wheels' sensors have it. */
export const sensedKmh = (car: Car): number =>
  (car.faults.sensorFrozen ? car.frozenMps : car.motion.speedMps) * MPS_TO_KMH;
const door = (car: Car, leaf: Leaf): string => (contactOpen(car, leaf) ? "open" : "closed");
function bolt(car: Car, name: Bolt): string {
  const contact = boltContact(car, name);
  return contact === "unknown" ? "moving" : contact;
}
const onOff = (on: boolean): string => (on ? "on" : "off");

export const SPOKEN: Readonly<Record<string, Speak>> = {
  SPEED: (car) => ({
    VehicleSpeed: car.faults.speedLost ? UNAVAILABLE : sensedKmh(car),
    LongitudinalAcceleration: car.motion.accelerationMps2,
    LateralAcceleration: car.motion.lateralMps2,
    Standstill: car.faults.speedLost || sensedKmh(car) > 0 ? 0 : 1,
  }),
  WHEELS: wheels,
  POWERTRAIN: (car) => ({
    EngineSpeed: car.rpm,
    EngineRunning: car.engine.value === "running" ? 1 : 0,
    Gear: car.gear,
    AcceleratorPedal: car.accelerator * 100,
    EngineTorque: car.torqueNm,
  }),
  PEDALS: (car) => ({
    BrakePedal: car.brake * 100,
    BrakeSwitch: car.brake > 0.02 ? 1 : 0,
    ParkingBrake: car.parkingBrake ? "engaged" : "released",
  }),
  THERMAL: (car) => ({
    CoolantTemperature: car.coolantC,
    AmbientTemperature: airTemperatureC(car),
    BatteryVoltage: supplyV(car),
  }),
  CLUSTER: (car) => ({
    Odometer: Math.floor(car.motion.odometerM),
    FuelLevel: fuelPercent(car),
    Range: rangeKm(car),
    WarningLamp: fuelPercent(car) < 10 || supplyV(car) < 11 ? 1 : 0,
  }),
  DOORS: (car) => ({
    DoorDriver: door(car, "driver"),
    DoorPassenger: door(car, "passenger"),
    DoorRearDriver: door(car, "rearDriver"),
    DoorRearPassenger: door(car, "rearPassenger"),
    Trunk: door(car, "trunk"),
    Hood: door(car, "hood"),
    LockDriver: bolt(car, "driver"),
    LockPassenger: bolt(car, "passenger"),
    LockRearDriver: bolt(car, "rearDriver"),
    LockRearPassenger: bolt(car, "rearPassenger"),
    LockTrunk: bolt(car, "trunk"),
  }),
  IGNITION: (car) => ({
    Terminal: car.ignition,
    BeltDriver: car.belted ? "fastened" : "open",
    StartInhibited: car.startInhibited ? "inhibited" : "free",
    KeyHolder: car.holders.key ? "present" : "empty",
    FuelCardHolder: car.holders.fuelCard ? "present" : "empty",
  }),
  COMFORT: comfort,
  VEHICLE_ID: vehicleId,
  GNSS_POSITION: (car, route) => {
    const { fix, latitude, longitude } = gnss(car, route);
    return fix
      ? { Latitude: latitude, Longitude: longitude }
      : { Latitude: UNAVAILABLE, Longitude: UNAVAILABLE };
  },
  GNSS_MOTION: (car, route) => {
    const { fix, heading, altitudeM, satellites, errorM } = gnss(car, route);
    if (!fix) {
      const lost = { Heading: UNAVAILABLE, GroundSpeed: UNAVAILABLE, Altitude: UNAVAILABLE };
      return { ...lost, FixType: "none", Satellites: 2, HorizontalError: 127 };
    }
    const seen = { Heading: heading, GroundSpeed: kmh(car), Altitude: altitudeM };
    return { ...seen, FixType: "3D", Satellites: satellites, HorizontalError: errorM };
  },
};

export function supplyV(car: Car): number {
  return car.faults.supplyLow ? Math.min(9, car.batteryV) : car.batteryV;
}

export function fuelPercent(car: Car): number {
  return car.drive === "electric" ? 0 : (car.fuelL / modelOf(car).tankL) * 100;
}

/** Of the traction battery; undefined where there is none. */
export function chargePercent(car: Car): number | undefined {
  return car.drive === "electric" ? (car.chargeKwh / modelOf(car).batteryKwh) * 100 : undefined;
}

export function rangeKm(car: Car): number {
  return car.drive === "electric"
    ? (car.chargeKwh / AVERAGE_KWH_PER_100_KM) * 100
    : (car.fuelL / MODEL.averageBurnLPer100Km) * 100;
}

/** Wheels on the outside of a bend turn faster; half the track of such a car is 0.74 m. */
function wheels(car: Car, route: Route): EncodeValues {
  if (car.faults.speedLost) {
    const lost = { WheelSpeedFrontLeft: UNAVAILABLE, WheelSpeedFrontRight: UNAVAILABLE };
    return { ...lost, WheelSpeedRearLeft: UNAVAILABLE, WheelSpeedRearRight: UNAVAILABLE };
  }
  const bend = placeOn(route, car.motion.routeM).curvaturePerM;
  const left = sensedKmh(car) * (1 - 0.74 * bend);
  const right = sensedKmh(car) * (1 + 0.74 * bend);
  return {
    WheelSpeedFrontLeft: left,
    WheelSpeedFrontRight: right,
    WheelSpeedRearLeft: left,
    WheelSpeedRearRight: right,
  };
}

function comfort(car: Car, _route: Route, count: number): EncodeValues {
  if (count % 2 === 0) {
    return {
      ComfortPage: 0,
      WindowDriver: car.windows.driver * 100,
      WindowPassenger: car.windows.passenger * 100,
      WindowRearDriver: car.windows.rearDriver * 100,
      WindowRearPassenger: car.windows.rearPassenger * 100,
    };
  }
  const flashing = car.calling && Math.floor(car.timeMs / 350) % 2 === 0;
  return {
    ComfortPage: 1,
    LowBeam: onOff(car.lowBeam),
    HighBeam: onOff(false),
    IndicatorLeft: onOff(flashing),
    IndicatorRight: onOff(flashing),
    Horn: onOff(flashing),
  };
}

/** ISO 3779 has no I, O and Q. */
const VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789";

/** Of a maker that does not exist (world manufacturer identifiers begin with no 0), by the car's seed. */
export function vinOf(seed: number): string {
  let vin = "0KS";
  for (let index = 3; index < 17; index += 1) {
    const letters = index < 13 ? VIN_LETTERS : "0123456789";
    vin += letters[Math.floor(chance(seed, PURPOSE.vin, index) * letters.length)] ?? "0";
  }
  return vin;
}

function ascii(text: string): bigint {
  return BigInt(`0x${Buffer.from(text, "latin1").toString("hex")}`);
}

function vehicleId(car: Car, _route: Route, count: number): EncodeValues {
  const vin = vinOf(car.seed);
  const page = count % 3;
  if (page === 0) return { VinPart: 0, Vin01To07: ascii(vin.slice(0, 7)) };
  return page === 1
    ? { VinPart: 1, Vin08To14: ascii(vin.slice(7, 14)) }
    : { VinPart: 2, Vin15To17: ascii(vin.slice(14)) };
}

type Fix = {
  readonly fix: boolean;
  readonly latitude: number;
  readonly longitude: number;
  readonly heading: number;
  readonly altitudeM: number;
  readonly satellites: number;
  readonly errorM: number;
};

/** What the car's own receiver makes of where it is. */
export function gnss(car: Car, route: Route): Fix {
  const { seed, motion, faults } = car;
  const place = placeOn(route, motion.routeM);
  const reception = faults.gnssSpoofed ? RECEPTION.open : RECEPTION[place.sky];
  const { errorM, satellites } = reception ?? RECEPTION.canyon;
  const error = (purpose: number): number =>
    errorM * wander(seed, purpose, motion.odometerM, GNSS_ERROR_WAY_M);
  const away = faults.gnssSpoofed ? SPOOFED_BY_M : { east: 0, north: 0 };
  const at = toWgs84(
    place.eastM + away.east + error(PURPOSE.gnssEast),
    place.northM + away.north + error(PURPOSE.gnssNorth),
  );
  return {
    fix: reception !== undefined && !faults.gnssLost,
    ...at,
    heading: place.headingDegrees,
    altitudeM: TOWN_ORIGIN.altitudeM + 2 * error(PURPOSE.gnssHeight),
    satellites,
    errorM,
  };
}
