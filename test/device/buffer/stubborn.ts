/**
 * Appends `critical` events one by one, goes on after failures, and prints what became of each, one JSON line an
 * event: its place, or the code of the error. Ends in order when `until` more events were taken after a failure, or
 * after `count` events.
 */
import { openBuffer } from "@kerbside/buffer";
import { fromHex, ProtocolError, signingKey, toHex } from "@kerbside/protocol";
import { ADDRESS } from "../../support/car-cloud.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { note } from "./harness.ts";

const { dir, seed, ingest, count, after } = JSON.parse(process.argv[2] ?? "{}");
const PAUSE_MS = 20;
const buffer = await openBuffer({
  dir,
  address: ADDRESS,
  signingKey: signingKey(fromHex(seed)),
  ingestKey: { version: 1, publicKey: fromHex(ingest) },
  agentVersion: "test",
  clock: realClock,
  random: realRandom,
  log: silentLog,
});
let failed = false;
let taken = 0;
for (let number = 1; number <= count && taken < after; number += 1) {
  try {
    const { log, seq } = await buffer.append(note("x", number), "critical");
    process.stdout.write(`${JSON.stringify({ number, log: toHex(log), seq })}\n`);
    if (failed) taken += 1;
  } catch (error) {
    failed = true;
    const code = error instanceof ProtocolError ? error.code : String(error);
    process.stdout.write(`${JSON.stringify({ number, code })}\n`);
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}
await buffer.close();
