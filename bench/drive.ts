/**
 * Drives to measure with: a car in a town, once a second, 15 signals with the steps that real sensors have and noise
 * in the last of them. It shares nothing with the codecs that are measured, nor with the simulator's car.
 */
import type { CarEvent, SignalName, SignalValue } from "@kerbside/protocol";

/** Numbers in [0, 1) that a seed gives again: xorshift, 32 bits (Marsaglia 2003). */
function chance(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** To the nearest step of a sensor; written as the decimal number that such a sensor gives. */
function stepped(value: number, step: number): number {
  const decimals = Math.max(0, Math.ceil(-Math.log10(step)) + (/25|75/.test(String(step)) ? 2 : 0));
  return Number((Math.round(value / step) * step).toFixed(decimals));
}

const WALL_MS = 1_790_000_000_000;
const START = { latitude: 52.52, longitude: 13.405 };
const METRES_A_DEGREE = 111_320;
const GEAR_KMH = 22;

/** An endless drive of one car; the same for the same seed. Each event is a second after the one before. */
export function* drive(seed: number): Generator<CarEvent, never, undefined> {
  const random = chance(seed * 7919 + 13);
  const noise = (size: number): number => (random() + random() + random() - 1.5) * size;
  let { latitude, longitude } = START;
  let [speed, target, heading, odometerM, fuel, coolant] = [0, 50, random() * 360, 48e6, 71, 40];
  for (let second = 0; ; second += 1) {
    if (random() < 0.04) target = random() < 0.3 ? 0 : 20 + 60 * random();
    const before = speed;
    speed = Math.max(0, speed + Math.max(-9, Math.min(6, (target - speed) * 0.3)) + noise(0.4));
    if (target === 0 && speed < 2) speed = 0;
    if (speed > 0) heading = (heading + noise(6) + (random() < 0.03 ? 90 : 0) + 360) % 360;
    const metres = speed / 3.6;
    odometerM += metres;
    latitude += (metres * Math.cos((heading * Math.PI) / 180) + noise(0.4)) / METRES_A_DEGREE;
    longitude += (metres * Math.sin((heading * Math.PI) / 180) + noise(0.4)) / 67_700;
    fuel -= metres * 4e-6;
    coolant += (90 - coolant) * 0.004;
    const gear = speed === 0 ? 0 : Math.min(6, 1 + Math.floor(speed / GEAR_KMH));
    const pedal = speed > before ? Math.min(100, (speed - before) * 14 + 8) : 0;
    const values = {
      "Vehicle.Speed": stepped(speed, 0.01),
      "Vehicle.CurrentLocation.Latitude": stepped(latitude, 1e-6),
      "Vehicle.CurrentLocation.Longitude": stepped(longitude, 1e-6),
      "Vehicle.CurrentLocation.Heading": stepped(heading, 0.1),
      "Vehicle.CurrentLocation.Altitude": stepped(38 + 6 * Math.sin(second / 90), 0.1),
      "Vehicle.TraveledDistance": Math.round(odometerM),
      "Vehicle.Powertrain.FuelSystem.RelativeLevel": stepped(fuel, 0.5),
      "Vehicle.Powertrain.CombustionEngine.Speed": stepped(
        780 + speed * 32 - gear * 260 + noise(20),
        1,
      ),
      "Vehicle.Powertrain.CombustionEngine.ECT": Math.round(coolant),
      "Vehicle.Acceleration.Longitudinal": stepped((speed - before) / 3.6 + noise(0.1), 0.1),
      "Vehicle.Chassis.Accelerator.PedalPosition": stepped(pedal, 1),
      "Vehicle.Chassis.Brake.PedalPosition": stepped(
        speed < before - 1 ? (before - speed) * 6 : 0,
        1,
      ),
      "Vehicle.Powertrain.Transmission.CurrentGear": gear,
      "Vehicle.LowVoltageBattery.CurrentVoltage": stepped(14.1 + noise(0.1), 0.1),
      "Vehicle.Exterior.AirTemperature": 17.5,
    } satisfies Partial<Record<SignalName, SignalValue>>;
    yield {
      kind: "signals.sampled",
      data: { values },
      bootMs: 95_000 + second * 1000 + (random() < 0.1 ? 1 : 0),
      wallOffsetMs: WALL_MS,
      doubtMs: 40,
    };
  }
}
