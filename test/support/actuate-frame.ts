/** One actuate frame on the line of a standing session, and the controller that it is for. */
import { LockLinkSession, randomBytes } from "@kerbside/protocol";

const NOW_MS = 1000;

export type OnTheLine = {
  readonly frame: Uint8Array;
  /** How many actuations the controller takes out of these bytes. */
  readonly actuations: (bytes: Uint8Array) => number;
};

export function actuateOnTheLine(): OnTheLine {
  const pairingKey = randomBytes(32);
  const common = { pairingKey, random: { bytes: randomBytes } };
  const module = new LockLinkSession({ ...common, role: "module", id: new Uint8Array(8).fill(1) });
  const firmware = { major: 1, minor: 0, patch: 0 };
  const id = new Uint8Array(8).fill(2);
  const controller = new LockLinkSession({ ...common, role: "controller", id, firmware });
  const welcome = controller.receive(module.open(NOW_MS), NOW_MS).bytesOut;
  controller.receive(module.receive(welcome, NOW_MS).bytesOut, NOW_MS);
  const sent = module.send({ type: "actuate", actuationId: 1, action: "unlock" }, NOW_MS);
  if (!sent.sent) throw new Error("no session");
  return {
    frame: sent.bytesOut,
    actuations: (bytes) =>
      controller.receive(bytes, NOW_MS).messages.filter(({ type }) => type === "actuate").length,
  };
}

/** A copy with these bits flipped, and a delimiter after it, so that the next frame is not spoilt as well. */
export function flipped(frame: Uint8Array, bits: readonly number[]): Uint8Array {
  const out = new Uint8Array(frame.length + 1);
  out.set(frame);
  for (const bit of bits) out[bit >> 3] = (out[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return out;
}
