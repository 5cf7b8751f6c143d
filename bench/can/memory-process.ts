/**
 * A process of its own (needs --expose-gc): frames as they come from a bus, through decoder, store and shipped schemes,
 * a million at a time. Prints the memory in use after each million, collected: a JSON line {heapMb, rssMb}. Arguments:
 * millions.
 */
import {
  createCollector,
  createSignalStore,
  encodeFrameRecord,
  GREETING,
  readShippedProfile,
  WireDecoder,
} from "@kerbside/can";
import { systemClock } from "@kerbside/protocol";
import { payloadsOf } from "./frames.ts";

const MILLION = 1_000_000;
const FRAMES_A_SECOND = 4000;
const BATCH = 64;
const TURN = 16 * BATCH;
const MB = 1 << 20;

let nowMs = 0;
const clock = {
  ...systemClock(
    () => nowMs,
    () => nowMs,
  ),
  wallMs: () => nowMs,
};
const profile = readShippedProfile("kerbside-sim");
const store = createSignalStore({ profile, clock });
let events = 0;
const collector = createCollector({
  ...{ profile, store, clock },
  emit: () => {
    events += 1;
  },
});
const decoder = new WireDecoder("can0");
decoder.push(GREETING);
const known = profile.messages.map(({ compiled }) => compiled.message);
const next = payloadsOf(1);

function batch(from: number): Buffer {
  const records = [];
  for (let i = from; i < from + BATCH; i++) {
    // Every eighth is of an identifier that nobody knows, ever another.
    const message = i % 8 === 0 ? undefined : known[i % known.length];
    const { id, ext, length } = message ?? { id: i % 0x2000_0000, ext: true, length: 8 };
    const frame = {
      timeUs: null,
      id,
      ext,
      kind: "data",
      fd: length > 8,
      data: next(length),
    } as const;
    records.push(encodeFrameRecord(frame, i));
  }
  return Buffer.concat(records);
}

function collect(): { heapMb: number; rssMb: number } {
  if (globalThis.gc === undefined) throw new Error("needs --expose-gc");
  globalThis.gc();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heapMb: (heapUsed + arrayBuffers) / MB, rssMb: rss / MB };
}

const [millions = "1"] = process.argv.slice(2);
for (let million = 0; million < Number(millions); million++) {
  for (let i = 0; i < MILLION; i += BATCH) {
    nowMs += (BATCH * 1000) / FRAMES_A_SECOND;
    const records = decoder.push(batch(million * MILLION + i), { bootMs: Math.floor(nowMs) });
    store.ingest(records.flatMap((record) => (record.type === "frame" ? [record.frame] : [])));
    // Memory outside the heap is given back in turns of the loop, as between what a bus hands over.
    if (i % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  process.stdout.write(`${JSON.stringify(collect())}\n`);
}
if (events === 0) throw new Error("nothing was collected");
collector.close();
store.close();
process.exit(0);
