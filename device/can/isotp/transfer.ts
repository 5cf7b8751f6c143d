/**
 * One direction each of ISO 15765-2 as pure steps: what came and what time it is go in, frames to send and results
 * come out. Errors have the names of §9.8.
 */
import {
  encodeConsecutive,
  encodeFlow,
  encodeStart,
  type Framing,
  type IsoTpFrame,
  MESSAGE_BYTES_MAX,
} from "./frames.ts";

/** N_Bs and N_Cr (table 21): how long to wait for the other side's next frame. */
export const ANSWER_MS_MAX = 1000;
/** N_WFTmax: "wait" that are taken in a row. */
const WAITS_MAX = 10;

export type SendState =
  | { readonly value: "idle" }
  | {
      readonly value: "waitFlow";
      readonly message: Uint8Array;
      readonly at: number;
      readonly index: number;
      readonly untilMs: number;
      readonly waits: number;
    }
  | {
      readonly value: "sending";
      readonly message: Uint8Array;
      readonly at: number;
      readonly index: number;
      readonly nextMs: number;
      readonly separationMs: number;
      /** Frames left until the next flow control; infinity: none will come. */
      readonly left: number;
    };
export type SendError = "N_TIMEOUT_Bs" | "N_BUFFER_OVFLW" | "N_WFT_OVRN";
export type SendStep = {
  readonly state: SendState;
  readonly frames: readonly Uint8Array[];
  readonly result?: "done" | SendError;
};

export const SEND_IDLE: SendState = { value: "idle" };

/** Begins to send. `message` has 1 to MESSAGE_BYTES_MAX bytes. */
export function beginSend(message: Uint8Array, nowMs: number, framing: Framing): SendStep {
  const { bytes, taken } = encodeStart(message, framing);
  if (taken === message.length) return { state: SEND_IDLE, frames: [bytes], result: "done" };
  const untilMs = nowMs + ANSWER_MS_MAX;
  const state: SendState = { value: "waitFlow", message, at: taken, index: 1, untilMs, waits: 0 };
  return { state, frames: [bytes] };
}

/** A flow control came. */
export function flowForSend(
  state: SendState,
  flow: IsoTpFrame & { readonly type: "flow" },
  nowMs: number,
): SendStep {
  if (state.value !== "waitFlow") return { state, frames: [] };
  switch (flow.status) {
    case "overflow":
      return { state: SEND_IDLE, frames: [], result: "N_BUFFER_OVFLW" };
    case "wait": {
      const waits = state.waits + 1;
      if (waits > WAITS_MAX) return { state: SEND_IDLE, frames: [], result: "N_WFT_OVRN" };
      return { state: { ...state, waits, untilMs: nowMs + ANSWER_MS_MAX }, frames: [] };
    }
    case "continue": {
      const { message, at, index } = state;
      const { separationMs, blockSize } = flow;
      const left = blockSize === 0 ? Number.POSITIVE_INFINITY : blockSize;
      const next = {
        value: "sending",
        message,
        at,
        index,
        nextMs: nowMs,
        separationMs,
        left,
      } as const;
      return { state: next, frames: [] };
    }
  }
}

/** Time passes: sends the one frame that is due, or gives up. */
export function tickSend(state: SendState, nowMs: number, framing: Framing): SendStep {
  if (state.value === "waitFlow" && nowMs >= state.untilMs) {
    return { state: SEND_IDLE, frames: [], result: "N_TIMEOUT_Bs" };
  }
  if (state.value !== "sending" || nowMs < state.nextMs) return { state, frames: [] };
  const { message, index, separationMs } = state;
  const frames = [encodeConsecutive(message, state.at, index, framing)];
  const at = state.at + framing.frameBytes - 1;
  if (at >= message.length) return { state: SEND_IDLE, frames, result: "done" };
  const left = state.left - 1;
  if (left > 0) {
    const nextMs = nowMs + separationMs;
    return { state: { ...state, at, index: index + 1, left, nextMs }, frames };
  }
  const untilMs = nowMs + ANSWER_MS_MAX;
  return {
    state: { value: "waitFlow", message, at, index: index + 1, untilMs, waits: 0 },
    frames,
  };
}

/** When `tickSend` has something to do; infinity: never. */
export function sendDueMs(state: SendState): number {
  if (state.value === "waitFlow") return state.untilMs;
  return state.value === "sending" ? state.nextMs : Number.POSITIVE_INFINITY;
}

export type ReceiveState =
  | { readonly value: "idle" }
  | {
      readonly value: "receiving";
      readonly message: Uint8Array;
      readonly got: number;
      readonly index: number;
      readonly untilMs: number;
      /** Of all frames but the last. */
      readonly frameBytes: number;
      /** Frames until we owe a flow control. */
      readonly left: number;
    };
export type ReceiveError = "N_TIMEOUT_Cr" | "N_WRONG_SN" | "N_UNEXP_PDU";
export type ReceiveStep = {
  readonly state: ReceiveState;
  readonly frames: readonly Uint8Array[];
  readonly message?: Uint8Array;
  readonly error?: ReceiveError;
};
/** What we allow the other side: frames in a block (0: all), and the time between them. */
export type FlowOffer = { readonly blockSize: number; readonly separationMs: number };

export const RECEIVE_IDLE: ReceiveState = { value: "idle" };

/** A frame came, of any type but flow control. A new message ends an unfinished one (table 18). */
export function frameForReceive(
  state: ReceiveState,
  frame: Exclude<IsoTpFrame, { readonly type: "flow" }>,
  nowMs: number,
  framing: Framing,
  offer: FlowOffer,
): ReceiveStep {
  const broken = state.value === "receiving" ? { error: "N_UNEXP_PDU" as const } : {};
  if (frame.type === "consecutive") return consecutive(state, frame, nowMs, framing, offer);
  if (frame.type === "single") {
    return { state: RECEIVE_IDLE, frames: [], message: frame.data, ...broken };
  }
  if (frame.length > MESSAGE_BYTES_MAX) {
    const frames = [encodeFlow("overflow", 0, 0, framing)];
    return { state: RECEIVE_IDLE, frames, ...broken };
  }
  const message = new Uint8Array(frame.length);
  const data = frame.data.subarray(0, frame.length);
  message.set(data);
  const untilMs = nowMs + ANSWER_MS_MAX;
  const left = offer.blockSize;
  const { frameBytes } = frame;
  return {
    state: { value: "receiving", message, got: data.length, index: 1, untilMs, left, frameBytes },
    frames: [encodeFlow("continue", offer.blockSize, offer.separationMs, framing)],
    ...broken,
  };
}

function consecutive(
  state: ReceiveState,
  frame: IsoTpFrame & { readonly type: "consecutive" },
  nowMs: number,
  framing: Framing,
  offer: FlowOffer,
): ReceiveStep {
  if (state.value !== "receiving") return { state, frames: [] };
  if (frame.index !== (state.index & 0xf)) {
    return { state: RECEIVE_IDLE, frames: [], error: "N_WRONG_SN" };
  }
  const { message } = state;
  const missing = message.length - state.got;
  // Only the last frame may be shorter than the others.
  if (frame.data.length < Math.min(missing, state.frameBytes - 1)) {
    return { state, frames: [] };
  }
  const data = frame.data.subarray(0, missing);
  message.set(data, state.got);
  const got = state.got + data.length;
  if (got === message.length) return { state: RECEIVE_IDLE, frames: [], message };
  const owed = offer.blockSize > 0 && state.left === 1;
  const frames = owed ? [encodeFlow("continue", offer.blockSize, offer.separationMs, framing)] : [];
  const left = owed ? offer.blockSize : state.left - 1;
  const untilMs = nowMs + ANSWER_MS_MAX;
  return { state: { ...state, got, index: state.index + 1, untilMs, left }, frames };
}

export function tickReceive(state: ReceiveState, nowMs: number): ReceiveStep {
  if (state.value !== "receiving" || nowMs < state.untilMs) return { state, frames: [] };
  return { state: RECEIVE_IDLE, frames: [], error: "N_TIMEOUT_Cr" };
}

export function receiveDueMs(state: ReceiveState): number {
  return state.value === "receiving" ? state.untilMs : Number.POSITIVE_INFINITY;
}
