/** Two ends of a lock link with a wire between them that a test may look at and meddle with. */
import {
  LockLinkSession,
  type LockMessage,
  type LockSensed,
  type Random,
} from "@kerbside/protocol";

export const PAIRING_KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, index) => index);
export const MODULE_ID: Uint8Array = Uint8Array.from({ length: 8 }, () => 0xa1);
export const CONTROLLER_ID: Uint8Array = Uint8Array.from({ length: 8 }, () => 0xc2);

/** Bytes that differ at each call and are the same in each run. */
export function countedBytes(start: number): Pick<Random, "bytes"> {
  let call = start;
  return {
    bytes: (count) => {
      call += 1;
      return new Uint8Array(count).fill(call & 0xff);
    },
  };
}

/** Mulberry32: small, and the same from the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const SENSED: LockSensed = {
  boltDriver: "locked",
  boltPassengers: "locked",
  boltTrunk: "unlocked",
  doorFrontLeft: "closed",
  doorFrontRight: "open",
  doorRearLeft: "closed",
  doorRearRight: "unknown",
  trunk: "closed",
  immobiliser: "inhibited",
  supplyMv: 12_340,
  tamper: "intact",
};

export type Pair = {
  readonly module: LockLinkSession;
  readonly controller: LockLinkSession;
  /** What came out at each end since it was last taken. */
  readonly atModule: LockMessage[];
  readonly atController: LockMessage[];
  /** Carries bytes to an end, and all answers to and fro until nobody speaks. */
  readonly toController: (bytes: Uint8Array, nowMs: number) => void;
  readonly toModule: (bytes: Uint8Array, nowMs: number) => void;
  /** Lets `ms` pass in steps of 250 with an unbroken wire; answers the time then. */
  readonly pass: (fromMs: number, ms: number) => number;
};

export function newPair(pairingKeys: {
  readonly module: Uint8Array;
  readonly controller: Uint8Array;
}): Pair {
  const module = new LockLinkSession({
    role: "module",
    pairingKey: pairingKeys.module,
    id: MODULE_ID,
    random: countedBytes(0x10),
  });
  const controller = new LockLinkSession({
    role: "controller",
    pairingKey: pairingKeys.controller,
    id: CONTROLLER_ID,
    firmware: { major: 2, minor: 5, patch: 1 },
    random: countedBytes(0x80),
  });
  const atModule: LockMessage[] = [];
  const atController: LockMessage[] = [];
  const toController = (bytes: Uint8Array, nowMs: number): void => {
    const { messages, bytesOut } = controller.receive(bytes, nowMs);
    atController.push(...messages);
    if (bytesOut.length > 0) toModule(bytesOut, nowMs);
  };
  const toModule = (bytes: Uint8Array, nowMs: number): void => {
    const { messages, bytesOut } = module.receive(bytes, nowMs);
    atModule.push(...messages);
    if (bytesOut.length > 0) toController(bytesOut, nowMs);
  };
  const pass = (fromMs: number, ms: number): number => {
    for (let nowMs = fromMs + 250; nowMs <= fromMs + ms; nowMs += 250) {
      toController(module.tick(nowMs).bytesOut, nowMs);
      toModule(controller.tick(nowMs).bytesOut, nowMs);
    }
    return fromMs + ms;
  };
  return { module, controller, atModule, atController, toController, toModule, pass };
}

/** A pair that has greeted at time 0. */
export function readyPair(): Pair {
  const pair = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
  pair.toController(pair.module.open(0), 0);
  return pair;
}
