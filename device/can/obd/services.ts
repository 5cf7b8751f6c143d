/**
 * What is asked of a car's diagnosis, as tables: OBD-II (SAE J1979, ISO 15031-5) and the little of UDS (ISO 14229-1)
 * that fills its gaps. Pure: bytes of requests, and what answers mean.
 */
import type { SignalName, SignalValue } from "@kerbside/protocol";
import type { ObdRule } from "../profile/model.ts";

export type Topic = ObdRule["ask"][number];
export type ServiceRow = {
  readonly request: Uint8Array;
  readonly signal: SignalName;
  /** Undefined: the answer has no value, or is cut short. `data` follows the echo of the request. */
  readonly read: (data: Uint8Array) => SignalValue | undefined;
  /** How often it is worth asking. */
  readonly everyMs: number;
  readonly doc: string;
};

const POSITIVE = 0x40;
const NEGATIVE = 0x7f;
const SHOW_CURRENT = 0x01;
const STORED_CODES = 0x03;
const VEHICLE_INFORMATION = 0x09;
const READ_BY_IDENTIFIER = 0x22;
const READ_DTC = 0x19;
const VIN_IDENTIFIER = 0xf190;
const VIN_CHARS = 17;

const current = (
  pid: number,
  bytes: number,
  signal: SignalName,
  everyMs: number,
  doc: string,
  read: (value: number) => SignalValue,
): ServiceRow => ({
  request: Uint8Array.of(SHOW_CURRENT, pid),
  signal,
  everyMs,
  doc,
  read: (data) =>
    data.length < bytes
      ? undefined
      : read(data.subarray(0, bytes).reduce((value, byte) => value * 256 + byte, 0)),
});

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

export const SERVICES: Readonly<Record<Topic, ServiceRow>> = {
  speed: current(0x0d, 1, "Vehicle.Speed", 500, "km/h", (v) => v),
  rpm: current(
    0x0c,
    2,
    "Vehicle.Powertrain.CombustionEngine.Speed",
    SECOND_MS,
    "quarters of 1/min",
    (v) => v / 4,
  ),
  fuel: current(
    0x2f,
    1,
    "Vehicle.Powertrain.FuelSystem.RelativeLevel",
    10 * SECOND_MS,
    "0 to 255 for 0 to 100 %",
    (v) => (v * 100) / 255,
  ),
  odometer: current(
    0xa6,
    4,
    "Vehicle.TraveledDistance",
    10 * SECOND_MS,
    "tenths of a kilometre",
    (v) => v * 100,
  ),
  coolant: current(
    0x05,
    1,
    "Vehicle.Powertrain.CombustionEngine.ECT",
    30 * SECOND_MS,
    "degrees Celsius above -40",
    (v) => v - 40,
  ),
  vin: {
    request: Uint8Array.of(VEHICLE_INFORMATION, 0x02),
    signal: "Vehicle.VehicleIdentification.VIN",
    everyMs: 60 * MINUTE_MS,
    doc: "one item of 17 characters, padded with zeros in front",
    read: (data) => vinOf(data.subarray(1)),
  },
  dtc: {
    request: Uint8Array.of(STORED_CODES),
    signal: "Vehicle.Diagnostics.DTCList",
    everyMs: 5 * MINUTE_MS,
    doc: "a count, then two bytes a code",
    read: (data) => {
      const [count = 0] = data;
      if (data.length < 1 + 2 * count) return undefined;
      return Array.from({ length: Math.min(count, CODES_MAX) }, (_, i) =>
        troubleCode(data[1 + 2 * i] ?? 0, data[2 + 2 * i] ?? 0),
      );
    },
  },
};
/** As many as an event may carry. */
const CODES_MAX = 64;

function vinOf(data: Uint8Array): string | undefined {
  const text = String.fromCharCode(...data.filter((byte) => byte !== 0).slice(-VIN_CHARS));
  return /^[A-HJ-NPR-Z0-9]{17}$/.test(text) ? text : undefined;
}

/** Two bytes as SAE J2012 writes them: `P0420`. */
export function troubleCode(high: number, low: number): string {
  const system = "PCBU".charAt(high >> 6);
  const digits = (((high & 0x3f) << 8) | low).toString(16).toUpperCase().padStart(4, "0");
  return system + digits;
}

/** The two bytes of a code. Throws RangeError for what is none. */
export function troubleBytes(code: string): readonly [number, number] {
  const system = "PCBU".indexOf(code.charAt(0));
  const value = Number.parseInt(code.slice(1), 16);
  if (system < 0 || !/^.[0-3][0-9A-F]{3}$/.test(code)) throw new RangeError(`${code}: no code`);
  return [(system << 6) | (value >> 8), value & 0xff];
}

export type Answer =
  | { readonly kind: "positive"; readonly data: Uint8Array }
  /** It needs longer than usual (NRC 0x78). */
  | { readonly kind: "pending" }
  | { readonly kind: "negative"; readonly code: number }
  /** An answer to something else. */
  | { readonly kind: "other" };

const RESPONSE_PENDING = 0x78;

/** Bytes of a request that its positive answer repeats, after the service itself. */
function echoBytes(service: number): number {
  switch (service) {
    case SHOW_CURRENT:
    case VEHICLE_INFORMATION:
    case READ_DTC:
      return 1;
    case READ_BY_IDENTIFIER:
      return 2;
    default:
      return 0;
  }
}

export function answerTo(request: Uint8Array, message: Uint8Array): Answer {
  const [service = 0] = request;
  const [first = 0, second = 0, third = 0] = message;
  if (first === NEGATIVE) {
    if (second !== service || message.length < 3) return { kind: "other" };
    return third === RESPONSE_PENDING ? { kind: "pending" } : { kind: "negative", code: third };
  }
  if (first !== service + POSITIVE) return { kind: "other" };
  const echo = echoBytes(service);
  for (let i = 1; i <= echo; i++) if (message[i] !== request[i]) return { kind: "other" };
  return { kind: "positive", data: message.slice(1 + echo) };
}

/** UDS: the VIN by its data identifier, for cars that do not answer OBD's service 09. */
export const UDS_VIN: ServiceRow = {
  ...SERVICES.vin,
  request: Uint8Array.of(READ_BY_IDENTIFIER, VIN_IDENTIFIER >> 8, VIN_IDENTIFIER & 0xff),
  doc: "17 characters",
  read: vinOf,
};

/** UDS: codes whose test failed or that are confirmed (service 19 02, mask 0x09); the third byte is left out. */
export const UDS_CODES: ServiceRow = {
  ...SERVICES.dtc,
  request: Uint8Array.of(READ_DTC, 0x02, 0x09),
  doc: "a mask, then three bytes and a status for each code",
  read: (data) => {
    if (data.length < 1 || (data.length - 1) % 4 !== 0) return undefined;
    const count = Math.min(CODES_MAX, (data.length - 1) / 4);
    return Array.from({ length: count }, (_, i) =>
      troubleCode(data[1 + 4 * i] ?? 0, data[2 + 4 * i] ?? 0),
    );
  },
};

/** What to ask where a car says no to the plain question. */
export const FALLBACKS: Readonly<Partial<Record<Topic, ServiceRow>>> = {
  vin: UDS_VIN,
  dtc: UDS_CODES,
};

export type Addresses = {
  readonly requestId: number;
  readonly answerId: number;
  readonly ext: boolean;
};
/** The engine's control unit, by itself (ISO 15765-4 §6.3.2.2): asking all at once disturbs more. */
export const ADDRESSES: Readonly<Record<ObdRule["addressing"], Addresses>> = {
  "11bit": { requestId: 0x7e0, answerId: 0x7e8, ext: false },
  "29bit": { requestId: 0x18da10f1, answerId: 0x18daf110, ext: true },
};
