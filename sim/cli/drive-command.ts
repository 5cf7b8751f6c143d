/** `kerbside-sim drive`: one car, driven by hand in the cockpit, by its API, or by scripts. */
import { readFileSync } from "node:fs";
import { type DriveOptions, startDrive } from "../drive/drive.ts";
import { TRAVEL, type Travel } from "../world.ts";
import {
  type Command,
  type Given,
  required,
  UsageError,
  untilAborted,
  wholeNumber,
} from "./command.ts";

const PORT_DEFAULT = 8444;
const PORT_MAX = 65_535;
const SEED_MAX = 2 ** 31 - 1;
const AWAKE_S_MAX = 86_400;
const TRAVEL_MS_MAX = 60_000;

export const driveCommand: Command = {
  usage: "drive --data DIR [options]",
  words: "a simulated car with its bus, its lock controller and its cockpit",
  positionals: 0,
  options: {
    data: {
      value: "DIR",
      words: "where the car is kept, and its sockets: can, lock, reader and modem.sock",
    },
    port: {
      value: "N",
      words: `of the cockpit, on this machine only (${PORT_DEFAULT}; 0: any free one)`,
    },
    "tls-cert": {
      value: "FILE",
      words: "certificate of the cockpit, PEM; without one it stays closed",
    },
    "tls-key": { value: "FILE", words: "its private key, PEM" },
    "pairing-key": {
      value: "FILE",
      words: "key shared with the module, hexadecimal (DIR/pairing.key)",
    },
    "reader-key": {
      value: "FILE",
      words: "the same for the card reader (DIR/reader.key)",
    },
    seed: { value: "N", words: "of a new car: the same seed, the same car (1)" },
    "travel-ms": {
      value: "MIN-MAX",
      words: `how long bolts take (${TRAVEL.minMs}-${TRAVEL.maxMs})`,
    },
    profile: {
      value: "NAME|FILE",
      words: "by which it speaks on its bus: a shipped profile, or a file (kerbside-sim)",
    },
    network: {
      value: "HOST:PORT",
      words: "where the mobile network leads that the module is to connect through",
    },
    module: { value: "DIR", words: "the agent's data directory: the cockpit shows what it holds" },
    cloud: {
      value: "FILE",
      words: "JSON with url, ca, tenant, vehicle, client, secret: the cockpit shows commands",
    },
    "bus-awake-s": {
      value: "N",
      words: "how long the bus of a car at rest stays awake (for ever)",
    },
  },
  run: async (given, io) => {
    const drive = await startDrive({ ...optionsFrom(given), clock: io.clock, random: io.random });
    const { canPath, lockPath, readerPath, modemPath, cockpitPort, cockpitKeyFile } = drive;
    const { networkPort } = drive;
    const cockpit = {
      ...(cockpitPort !== undefined && { https: cockpitPort, cockpitKeyFile }),
      ...(networkPort !== undefined && { network: networkPort }),
    };
    if (given.json)
      io.out(
        `${JSON.stringify({ ready: true, can: canPath, lock: lockPath, reader: readerPath, modem: modemPath, ...cockpit })}\n`,
      );
    else {
      io.out(
        `The car is ready.\n  bus       ${canPath}\n  lock      ${lockPath}\n  reader    ${readerPath}\n  modem     ${modemPath}\n`,
      );
      if (networkPort !== undefined) io.out(`  network   localhost:${networkPort}\n`);
      if (cockpitPort !== undefined) {
        io.out(
          `  cockpit   https://localhost:${cockpitPort}/  (its key is in ${cockpitKeyFile})\n`,
        );
      }
    }
    await untilAborted(io.signal);
    await drive.close();
    return 0;
  },
};

function optionsFrom(given: Given): Omit<DriveOptions, "clock" | "random"> {
  const pairingKeyFile = given.options["pairing-key"];
  const readerKeyFile = given.options["reader-key"];
  const cockpit = cockpitFrom(given);
  const isSleeper = given.options["bus-awake-s"] !== undefined;
  const busAwakeMs = 1000 * wholeNumber(given, "bus-awake-s", 0, AWAKE_S_MAX);
  return {
    dataDir: required(given, "data"),
    seed: wholeNumber(given, "seed", 1, SEED_MAX),
    travel: travelFrom(given.options["travel-ms"]),
    ...(pairingKeyFile !== undefined && { pairingKeyFile }),
    ...(readerKeyFile !== undefined && { readerKeyFile }),
    ...(isSleeper && { busAwakeMs }),
    ...(cockpit !== undefined && { cockpit }),
    ...(given.options["profile"] !== undefined && { profile: given.options["profile"] }),
    ...networkFrom(given.options["network"]),
    ...(given.options["module"] !== undefined && { moduleDir: given.options["module"] }),
    ...(given.options["cloud"] !== undefined && { cloudFile: given.options["cloud"] }),
  };
}

function cockpitFrom(given: Given): DriveOptions["cockpit"] {
  const { "tls-cert": certificate, "tls-key": key } = given.options;
  const port = wholeNumber(given, "port", PORT_DEFAULT, PORT_MAX);
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw new UsageError("--tls-cert and --tls-key go together");
  return { port, certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
}

function networkFrom(text: string | undefined): Pick<DriveOptions, "network"> {
  if (text === undefined) return {};
  const [, host, port] = /^([a-z0-9.-]{1,253}):(\d{1,5})$/i.exec(text) ?? [];
  if (host === undefined || !(Number(port) <= PORT_MAX))
    throw new UsageError(`--network ${text}: expected HOST:PORT`);
  return { network: { host, port: Number(port) } };
}

function travelFrom(text: string | undefined): Travel {
  if (text === undefined) return TRAVEL;
  const [, min, max] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const travel = { minMs: Number(min), maxMs: Number(max ?? min) };
  if (!(travel.minMs <= travel.maxMs && travel.maxMs <= TRAVEL_MS_MAX)) {
    throw new UsageError(`--travel-ms ${text}: expected MIN-MAX, at most ${TRAVEL_MS_MAX}`);
  }
  return travel;
}
