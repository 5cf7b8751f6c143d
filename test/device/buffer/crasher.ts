/**
 * Appends 300 events of `state` and 7 of `track`, waits until they are durable, and kills itself; or, as it is told, exits with one
 * more event waiting, without closing the buffer.
 */
import { openBuffer } from "@kerbside/buffer";
import { fromHex, signingKey } from "@kerbside/protocol";
import { ADDRESS } from "../../support/car-cloud.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { note } from "./harness.ts";

const { dir, seed, ingest, exits } = JSON.parse(process.argv[2] ?? "{}");
const buffer = await openBuffer({
  dir,
  address: ADDRESS,
  signingKey: signingKey(fromHex(seed)),
  ingestKey: { version: 1, publicKey: fromHex(ingest) },
  agentVersion: "test",
  clock: realClock,
  random: realRandom,
  log: silentLog,
  trackWindowMs: 250,
  limits: { segmentEventsMax: 200 },
});
const state = Array.from({ length: 300 }, (_, i) => buffer.append(note("s", i), "state"));
const track = Array.from({ length: 7 }, (_, i) => buffer.append(note("t", i), "track"));
await Promise.all([...state, ...track]);
if (exits === true) {
  void buffer.append(note("waiting"), "track");
  process.exit();
}
process.kill(process.pid, "SIGKILL");
