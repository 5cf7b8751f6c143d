/** What the car would say of each signal that cars have, whatever bus carries it; undefined: it does not know. */
import type { SignalName, SignalValue } from "@kerbside/protocol";
import type { Route } from "../car/route.ts";
import { type Bolt, boltContact, type Car, contactOpen, type Leaf } from "../car/state.ts";
import { airTemperatureC, isCharging } from "../car/step.ts";
import { chargePercent, fuelPercent, gnss, rangeKm, sensedKmh, supplyV, vinOf } from "./signals.ts";

type Tell = (car: Car, route: Route) => SignalValue | undefined;

const leaf =
  (name: Leaf): Tell =>
  (car) =>
    contactOpen(car, name);
const bolt =
  (name: Bolt): Tell =>
  (car) => {
    const contact = boltContact(car, name);
    return contact === "unknown" ? undefined : contact === "locked";
  };
const placed =
  (of: (fix: ReturnType<typeof gnss>) => number): Tell =>
  (car, route) => {
    const fix = gnss(car, route);
    return fix.fix ? of(fix) : undefined;
  };
const wheels =
  (of: (car: Car) => number): Tell =>
  (car) =>
    car.faults.speedLost ? undefined : of(car);
const petrol =
  (of: (car: Car) => number): Tell =>
  (car) =>
    car.drive === "petrol" ? of(car) : undefined;
const DOOR = "Vehicle.Cabin.Door";
const BATTERY = "Vehicle.Powertrain.TractionBattery";

export const VSS: Readonly<Partial<Record<SignalName, Tell>>> = {
  "Vehicle.Speed": wheels(sensedKmh),
  "Vehicle.Acceleration.Longitudinal": (car) => car.motion.accelerationMps2,
  "Vehicle.Acceleration.Lateral": (car) => car.motion.lateralMps2,
  "Vehicle.TraveledDistance": (car) => Math.floor(car.motion.odometerM),
  "Vehicle.Powertrain.FuelSystem.RelativeLevel": petrol(fuelPercent),
  [`${BATTERY}.StateOfCharge.Displayed`]: chargePercent,
  [`${BATTERY}.Charging.IsCharging`]: (car) =>
    car.drive === "electric" ? isCharging(car) : undefined,
  [`${BATTERY}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected`]: (car) =>
    car.drive === "electric" ? car.cableConnected : undefined,
  "Vehicle.Powertrain.Range": (car) => Math.round(rangeKm(car) * 1000),
  "Vehicle.Powertrain.CombustionEngine.Speed": petrol((car) => car.rpm),
  "Vehicle.Powertrain.CombustionEngine.ECT": petrol((car) => car.coolantC),
  "Vehicle.Powertrain.Transmission.CurrentGear": (car) => car.gear,
  "Vehicle.Chassis.Accelerator.PedalPosition": (car) => car.accelerator * 100,
  "Vehicle.Chassis.Brake.PedalPosition": (car) => car.brake * 100,
  "Vehicle.Chassis.ParkingBrake.IsEngaged": (car) => car.parkingBrake,
  "Vehicle.Exterior.AirTemperature": airTemperatureC,
  "Vehicle.LowVoltageBattery.CurrentVoltage": supplyV,
  "Vehicle.LowVoltageSystemState": (car) => car.ignition,
  [`${DOOR}.Row1.DriverSide.IsOpen`]: leaf("driver"),
  [`${DOOR}.Row1.PassengerSide.IsOpen`]: leaf("passenger"),
  [`${DOOR}.Row2.DriverSide.IsOpen`]: leaf("rearDriver"),
  [`${DOOR}.Row2.PassengerSide.IsOpen`]: leaf("rearPassenger"),
  [`${DOOR}.Row1.DriverSide.IsLocked`]: bolt("driver"),
  [`${DOOR}.Row1.PassengerSide.IsLocked`]: bolt("passenger"),
  [`${DOOR}.Row2.DriverSide.IsLocked`]: bolt("rearDriver"),
  [`${DOOR}.Row2.PassengerSide.IsLocked`]: bolt("rearPassenger"),
  [`${DOOR}.Row1.DriverSide.Window.IsOpen`]: (car) => car.windows.driver > 0,
  [`${DOOR}.Row1.PassengerSide.Window.IsOpen`]: (car) => car.windows.passenger > 0,
  [`${DOOR}.Row2.DriverSide.Window.IsOpen`]: (car) => car.windows.rearDriver > 0,
  [`${DOOR}.Row2.PassengerSide.Window.IsOpen`]: (car) => car.windows.rearPassenger > 0,
  "Vehicle.Body.Trunk.Rear.IsOpen": leaf("trunk"),
  "Vehicle.Body.Trunk.Rear.IsLocked": bolt("trunk"),
  "Vehicle.Body.Hood.IsOpen": leaf("hood"),
  "Vehicle.Body.Lights.Beam.Low.IsOn": (car) => car.lowBeam,
  "Vehicle.Cabin.Seat.Row1.DriverSide.IsBelted": (car) => car.belted,
  "Vehicle.Cabin.Holder.Key.IsPresent": (car) => car.holders.key,
  "Vehicle.Cabin.Holder.FuelCard.IsPresent": (car) => car.holders.fuelCard,
  "Vehicle.VehicleIdentification.VIN": (car) => vinOf(car.seed),
  "Vehicle.CurrentLocation.Latitude": placed(({ latitude }) => latitude),
  "Vehicle.CurrentLocation.Longitude": placed(({ longitude }) => longitude),
  "Vehicle.CurrentLocation.Heading": placed(({ heading }) => heading),
  "Vehicle.CurrentLocation.Altitude": placed(({ altitudeM }) => altitudeM),
  "Vehicle.CurrentLocation.Speed": (car, route) =>
    gnss(car, route).fix ? car.motion.speedMps * 3.6 : undefined,
};
