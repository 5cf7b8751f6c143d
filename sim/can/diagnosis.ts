/** The engine's control unit as a tester at the diagnosis socket sees it. */
import {
  ADDRESSES,
  type CanFrame,
  createObdEcu,
  type EcuState,
  type OutgoingFrame,
} from "@kerbside/can";
import type { Clock } from "@kerbside/protocol";
import type { Car } from "../car/state.ts";
import { fuelPercent, vinOf } from "./signals.ts";

const MPS_TO_KMH = 3.6;

/** What it would answer. Codes (SAE J2012): wheel speed sensor, system voltage low. */
export function diagnosisOf(car: Car): EcuState {
  const { speedLost, supplyLow } = car.faults;
  return {
    ...(speedLost ? {} : { speedKmh: car.motion.speedMps * MPS_TO_KMH }),
    engineRpm: car.rpm,
    fuelPercent: fuelPercent(car),
    odometerM: car.motion.odometerM,
    coolantC: car.coolantC,
    vin: vinOf(car.seed),
    codes: [...(speedLost ? ["C0035"] : []), ...(supplyLow ? ["P0562"] : [])],
  };
}

export type DiagnosisUnit = {
  /** Every frame of the bus that is not the car's own. */
  readonly take: (frame: CanFrame) => void;
  readonly close: () => Promise<void>;
};

/** It answers while the ignition is on and the connector of the bus is plugged in. */
export function openDiagnosis(options: {
  readonly car: () => Car;
  readonly send: (frame: OutgoingFrame) => void;
  readonly clock: Clock;
}): DiagnosisUnit {
  const { car, send, clock } = options;
  const unit = createObdEcu({
    addresses: ADDRESSES["11bit"],
    state: () => diagnosisOf(car()),
    send: (frame) => {
      send(frame);
      return { sent: true };
    },
    clock,
  });
  return {
    take: (frame) => {
      const { ignition, faults } = car();
      const isCut = faults.canUnplugged || faults.busOff;
      if ((ignition === "ON" || ignition === "START") && !isCut) unit.take(frame);
    },
    close: async () => unit.close(),
  };
}
