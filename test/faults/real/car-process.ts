/**
 * `car-process.ts SETUP PORT FIRST`: a buffer and its uplink. Appends events numbered from FIRST on, and prints a line for
 * each once it is durable; with FIRST `none` it appends nothing. Prints `empty` whenever nothing is held any more, and
 * ends in order at SIGTERM.
 */
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { openBuffer } from "@kerbside/buffer";
import { fromHex, LANES, signingKey, verifyKey } from "@kerbside/protocol";
import { createSession, mqttTransport, startUplink, UPLINK_LIMITS } from "@kerbside/uplink";
import {
  realClock as clock,
  silentLog as log,
  realRandom as random,
} from "../../support/runtime.ts";
import { ADDRESS as address, readSetup } from "./setup-file.ts";

const APPEND_EVERY_MS = 4;
const LOOK_EVERY_MS = 50;
const [file = "", port = "0", first = "none"] = process.argv.slice(2);
const setup = readSetup(file);
const key = signingKey(fromHex(setup.carSeed));
const common = { address, signingKey: key, clock, random, log, agentVersion: "test" };
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const buffer = await openBuffer({
  ...common,
  dir: join(setup.dir, "car"),
  ingestKey: { version: 1, publicKey: fromHex(setup.ingest.publicKey) },
  trackWindowMs: 250,
  limits: { closeAfterMs: { critical: 0, state: 20, track: 60 }, segmentEventsMax: 16 },
});
const tls = { ca: setup.rootCa, ...setup.car };
const uplink = startUplink({
  ...common,
  buffer,
  transport: mqttTransport({
    address,
    host: "localhost",
    port: Number(port),
    tls: () => tls,
    clock,
  }),
  session: createSession(clock, random),
  commandKey: () => verifyKey(signingKey(fromHex(setup.commandSeed)).publicKey),
  commands: { execute: () => Promise.reject(new Error("no command was expected")) },
  profile: "test",
  limits: {
    ...UPLINK_LIMITS,
    ackTimeoutMs: 1500,
    publishTimeoutMs: 1500,
    resendMsMax: 3000,
    backoffMsMin: 20,
    backoffMsMax: 200,
  },
});

let next = Number(first);
function append(): void {
  const [number, lane] = [next, LANES[next % LANES.length] ?? "state"];
  next += 1;
  buffer.append({ kind: "diagnostic.note", data: { note: "n", number } }, lane).then(
    (place) => {
      const logName = Buffer.from(place.log).toString("hex");
      say(JSON.stringify({ number, lane: place.lane, log: logName, seq: place.seq }));
    },
    () => undefined,
  );
}
const working = Number.isNaN(next) ? undefined : setInterval(append, APPEND_EVERY_MS);
const looking = setInterval(() => {
  const { segments, state } = buffer.status();
  const held = Object.values(segments).reduce((sum, count) => sum + count, 0);
  if (held === 0 && state === "working") say("empty");
}, LOOK_EVERY_MS);

// Whoever started it is gone.
process.stdin.on("end", () => process.exit(1)).resume();
process.on("SIGTERM", () => {
  process.stdin.pause();
  clearInterval(working);
  clearInterval(looking);
  void uplink.close().then(() => buffer.close());
});
say("up");
// Now, because a process that is killed does not come to it, and the next start is quicker.
flushCompileCache();
