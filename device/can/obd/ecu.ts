/** A control unit that answers diagnosis, for simulated cars. */
import type { Clock } from "@kerbside/protocol";
import type { OutgoingFrame, SendOutcome } from "../bus/bus.ts";
import type { CanFrame } from "../frame.ts";
import { createIsoTpLink } from "../isotp/index.ts";
import { type Addresses, troubleBytes } from "./services.ts";

/** What it knows of its car now. Undefined: it says no to that question. */
export type EcuState = {
  readonly speedKmh?: number;
  readonly engineRpm?: number;
  readonly fuelPercent?: number;
  readonly odometerM?: number;
  readonly coolantC?: number;
  readonly vin?: string;
  readonly codes?: readonly string[];
};

export type ObdEcu = {
  /** Every frame of the bus may be given to it. */
  readonly take: (frame: CanFrame) => void;
  readonly close: () => void;
};

/** Functional requests, which every unit answers (ISO 15765-4 §6.3.2). */
const FUNCTIONAL = { "11bit": 0x7df, "29bit": 0x18db33f1 } as const;
const SERVICE_NOT_SUPPORTED = 0x11;
const REQUEST_OUT_OF_RANGE = 0x31;
const MASK_OF_PIDS = 0x20;

/** By PID: the bytes of its answer. */
const CURRENT: Readonly<Record<number, (state: EcuState) => readonly number[] | undefined>> = {
  5: ({ coolantC }) => bytesOf(coolantC, 1, (c) => c + 40),
  12: ({ engineRpm }) => bytesOf(engineRpm, 2, (rpm) => rpm * 4),
  13: ({ speedKmh }) => bytesOf(speedKmh, 1, (kmh) => kmh),
  47: ({ fuelPercent }) => bytesOf(fuelPercent, 1, (percent) => (percent * 255) / 100),
  166: ({ odometerM }) => bytesOf(odometerM, 4, (m) => m / 100),
};

function bytesOf(
  value: number | undefined,
  bytes: number,
  raw: (value: number) => number,
): number[] | undefined {
  if (value === undefined) return undefined;
  const most = 256 ** bytes - 1;
  const whole = Math.min(most, Math.max(0, Math.round(raw(value))));
  return Array.from({ length: bytes }, (_, i) => Math.floor(whole / 256 ** (bytes - 1 - i)) % 256);
}

export function createObdEcu(options: {
  readonly addresses: Addresses;
  readonly state: () => EcuState;
  readonly send: (frame: OutgoingFrame) => SendOutcome;
  readonly clock: Clock;
}): ObdEcu {
  const { addresses, state, clock } = options;
  const { requestId, answerId, ext } = addresses;
  const link = createIsoTpLink({
    txId: answerId,
    rxId: requestId,
    ext,
    send: options.send,
    clock,
    onMessage: (request) => {
      // Asked again before the answer is out, or the tester is gone: it will ask once more.
      link.send(Uint8Array.from(answer(request, state()))).catch(() => undefined);
    },
  });
  const functional = FUNCTIONAL[ext ? "29bit" : "11bit"];
  return {
    take: (frame) => link.take(frame.id === functional ? { ...frame, id: requestId } : frame),
    close: () => link.close(),
  };
}

/** The answer to a request, positive or negative. */
function answer(request: Uint8Array, state: EcuState): readonly number[] {
  const [service = 0, first = 0, second = 0] = request;
  const no = (code: number): readonly number[] => [0x7f, service, code];
  switch (service) {
    case 0x01: {
      const data = first % MASK_OF_PIDS === 0 ? supported(first, state) : CURRENT[first]?.(state);
      return data === undefined ? no(REQUEST_OUT_OF_RANGE) : [0x41, first, ...data];
    }
    case 0x03: {
      const codes = state.codes ?? [];
      return [0x43, codes.length, ...codes.flatMap(troubleBytes)];
    }
    case 0x09:
      if (first !== 0x02 || state.vin === undefined) return no(REQUEST_OUT_OF_RANGE);
      return [0x49, 0x02, 1, ...new TextEncoder().encode(state.vin)];
    case 0x19: {
      if (first !== 0x02) return no(REQUEST_OUT_OF_RANGE);
      const codes = (state.codes ?? []).flatMap((code) => [...troubleBytes(code), 0, 0x09]);
      return [0x59, 0x02, 0x09, ...codes];
    }
    case 0x22:
      if ((first << 8) + second !== 0xf190 || state.vin === undefined) {
        return no(REQUEST_OUT_OF_RANGE);
      }
      return [0x62, first, second, ...new TextEncoder().encode(state.vin)];
    default:
      return no(SERVICE_NOT_SUPPORTED);
  }
}

/** The bit mask of PIDs `from + 1` to `from + 32`; the last bit says that there are more beyond. */
function supported(from: number, state: EcuState): readonly number[] {
  const bits = Array.from({ length: MASK_OF_PIDS }, (_, i) => {
    const pid = from + 1 + i;
    const more = i === MASK_OF_PIDS - 1 && Object.keys(CURRENT).some((key) => Number(key) > pid);
    return more || CURRENT[pid]?.(state) !== undefined;
  });
  return Array.from({ length: MASK_OF_PIDS / 8 }, (_, byte) =>
    bits.slice(8 * byte, 8 * byte + 8).reduce((value, bit) => value * 2 + (bit ? 1 : 0), 0),
  );
}
