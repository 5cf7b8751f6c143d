/**
 * A CAN bus as the rest of the agent sees it, whichever driver is behind it: SocketCAN, the simulator's
 * socket, a log. Drivers batch what arrives; nothing but the listener decides how fast it is taken.
 */
import {
  type CanFrame,
  CLASSIC_BYTES_MAX,
  EXTENDED_ID_MAX,
  FD_BYTES_MAX,
  STANDARD_ID_MAX,
} from "../frame.ts";

/** A frame with the moment it arrived, on the agent's boot clock (milliseconds, counting suspend). */
export type BusFrame = CanFrame & { readonly bootMs: number };

/** What is sent. Its time and bus are the driver's business. */
export type OutgoingFrame = Pick<CanFrame, "id" | "ext" | "data"> &
  Partial<Pick<CanFrame, "kind" | "fd">>;

/**
 * What a bus is doing. `silent`: the way to it is open, and nothing came for longer than its watchdog allows
 * (a parked car's bus sleeps). `passive` and `busOff` are the controller's own error states (ISO 11898-1 §12.1).
 */
export const BUS_STATES = ["stopped", "down", "up", "silent", "passive", "busOff"] as const;
export type BusState = (typeof BUS_STATES)[number];

/** `state` comes on each change of it, or of why it is down; `lost` when frames are known to be missing; `notSent` for what `send` took. */
export type BusEvent =
  | {
      readonly kind: "state";
      readonly state: BusState;
      readonly reason: string;
      readonly bootMs: number;
    }
  | { readonly kind: "lost"; readonly frames: number; readonly bootMs: number }
  | { readonly kind: "notSent"; readonly reason: string; readonly bootMs: number };

export type BusListener = {
  /** Frames in their order. While a returned promise is pending no more are handed over. */
  readonly frames: (frames: readonly BusFrame[]) => void | Promise<void>;
  readonly event: (event: BusEvent) => void;
};

export type BusStats = {
  readonly received: number;
  readonly sent: number;
  /** Known to be missing: dropped by a queue on the way that says so. */
  readonly lost: number;
  /** Refused by `send`, or not taken by the driver. */
  readonly notSent: number;
};

/** `sent` means handed to the controller, not seen on the wire. Nothing is ever queued to be sent later. */
export type SendOutcome =
  | { readonly sent: true }
  | { readonly sent: false; readonly reason: string };

export type CanBus = {
  readonly name: string;
  /** Begins to listen, and goes on until `stop`, through every loss of the bus. Throws if it was started before. */
  readonly start: (listener: BusListener) => void;
  /** Sends now or not at all. Never throws for what is in the frame: it says why not. */
  readonly send: (frame: OutgoingFrame) => SendOutcome;
  readonly state: () => BusState;
  readonly stats: () => BusStats;
  /** Idempotent. After it resolves the listener is not called any more. */
  readonly stop: () => Promise<void>;
};

/** Payload lengths that CAN FD has beyond 8 bytes (ISO 11898-1:2015 table 5). */
const FD_LENGTHS: ReadonlySet<number> = new Set([12, 16, 20, 24, 32, 48, FD_BYTES_MAX]);

/** Why a frame must not be sent, or undefined. Drivers truncate silently what this refuses. */
export function frameProblem(frame: OutgoingFrame): string | undefined {
  const { id, ext, data, kind = "data", fd = false } = frame;
  const idMax = ext ? EXTENDED_ID_MAX : STANDARD_ID_MAX;
  if (!Number.isInteger(id) || id < 0 || id > idMax) {
    return `id ${id}: expected 0 to ${idMax} for a frame of ${ext ? 29 : 11} bits`;
  }
  if (kind === "error") return "error frames are not for sending";
  if (kind === "remote" && (fd || data.length > 0))
    return "a remote frame has no data and no FD form";
  if (data.length <= CLASSIC_BYTES_MAX) return undefined;
  if (!fd) return `${data.length} bytes: a classic frame has at most ${CLASSIC_BYTES_MAX}`;
  return FD_LENGTHS.has(data.length)
    ? undefined
    : `${data.length} bytes: no CAN FD frame is that long`;
}
