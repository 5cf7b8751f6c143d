/** See `week.ts`. Sends the heap that is left after each day, then ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBuffer } from "@kerbside/buffer";
import {
  ackKeyOf,
  cryptoReady,
  decode,
  headerCodec,
  headerHash,
  type Lane,
  type NewEvent,
  openingCodec,
  parseSegmentMessage,
  parseSign1,
  parseTopic,
  randomBytes,
  sealAck,
  sealKeyPair,
  signingKey,
  systemRandom,
  type Transport,
  tenantId,
  toHex,
  unseal,
  vehicleId,
  ZERO_HASH,
} from "@kerbside/protocol";
import { createSession, startUplink } from "@kerbside/uplink";
import { steppedClock } from "../buffer/flash.ts";
import { drive } from "../drive.ts";

const DAYS = 7;
const DRIVE_S = 7200;
const DAY_S = 86_400;
const IDLE_S = 600;
const TRACK_WINDOW_MS = 5000;
/** Of each day, in seconds: nobody listens. */
const OUTAGE = { from: 10_000, to: 40_000 } as const;

const clock = steppedClock();
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const ADDRESS = { tenant: tenantId("bench"), vehicle: vehicleId("car-1") };
await cryptoReady();
const ingest = sealKeyPair();
const key = signingKey(randomBytes(32));
const ackKeys = new Map<string, Uint8Array>();
/** Of each lane what is stored without a hole, and what lies beyond. */
const marks = new Map<
  string,
  { upTo: number; hash: Uint8Array; beyond: Map<number, Uint8Array> }
>();
let cut: (() => void) | undefined;
let isOut = false;

/** A line without a network: what is published is stored and acknowledged a moment later. */
const transport: Transport = {
  connect: async (events) => {
    if (isOut) throw new Error("no network");
    cut = () => events.closed("cut");
    return {
      publish: async (topic, payload) => {
        if (parseTopic(topic).channel !== "up") return;
        events.message("ack", stored(payload));
      },
      close: async () => events.closed("closed"),
    };
  },
};

/** Takes a segment for stored, and acknowledges it. */
function stored(payload: Uint8Array): Uint8Array {
  const { header: envelope, opening } = parseSegmentMessage(payload, ADDRESS);
  const { log, lane, number } = decode(headerCodec, parseSign1(envelope).payload);
  if (opening !== undefined) {
    const { sealedRoot } = decode(openingCodec, parseSign1(opening).payload);
    const root = unseal(sealedRoot, ingest.publicKey, ingest.privateKey);
    ackKeys.set(toHex(log), ackKeyOf(root, { ...ADDRESS, log }));
  }
  const mark = markOf(toHex(log), lane);
  mark.beyond.set(number, headerHash(envelope));
  for (let next = mark.beyond.get(mark.upTo + 1); next; next = mark.beyond.get(mark.upTo + 1)) {
    mark.upTo += 1;
    mark.hash = next;
    mark.beyond.delete(mark.upTo);
  }
  const ranges = [...mark.beyond].slice(0, 32).map(([at, hash]) => ({ from: at, to: at, hash }));
  const lanes = [{ lane, upTo: mark.upTo, hash: mark.hash, ranges }];
  return sealAck(ackKeys.get(toHex(log)) ?? ZERO_HASH, { ...ADDRESS, log, lanes });
}

function markOf(log: string, lane: Lane) {
  const found = marks.get(`${log} ${lane}`) ?? { upTo: 0, hash: ZERO_HASH, beyond: new Map() };
  marks.set(`${log} ${lane}`, found);
  return found;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const dir = mkdtempSync(join(tmpdir(), "kb-week-"));
const common = { clock, random: systemRandom, log: silent, address: ADDRESS };
const buffer = await openBuffer({
  ...{ ...common, dir, signingKey: key, ingestKey: { version: 1, publicKey: ingest.publicKey } },
  ...{ agentVersion: "bench", trackWindowMs: TRACK_WINDOW_MS },
});
const uplink = startUplink({
  ...{ ...common, transport, buffer, signingKey: key },
  session: createSession(clock, systemRandom),
  commandKey: () => {
    throw new Error("no command was expected");
  },
  commands: { execute: () => Promise.reject(new Error("no command was expected")) },
  ...{ agentVersion: "bench", profile: "bench/1" },
});
const idle: NewEvent = { kind: "battery.low", data: { voltageV: 11.9 } };
const events = drive(9);
const heap: number[] = [];
for (let day = 0; day < DAYS; day += 1) {
  for (let second = 0; second < DAY_S; ) {
    isOut = second >= OUTAGE.from && second < OUTAGE.to;
    if (isOut) cut?.();
    const isDriving = second < DRIVE_S;
    const { kind, data } = events.next().value;
    void buffer.append(isDriving && kind === "signals.sampled" ? { kind, data } : idle);
    const stepS = isDriving ? 1 : IDLE_S;
    second += stepS;
    clock.advance(stepS * 1000);
    await turn();
  }
  global.gc?.();
  heap.push(process.memoryUsage().heapUsed);
}
await uplink.close();
await buffer.close();
rmSync(dir, { recursive: true });
process.send?.({ heap }, () => process.exit(0));
