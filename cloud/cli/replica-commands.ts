/** `replicate`, `replica serve`, `replica follow`, `replica keys`: a live replica, here or on another machine (P-90). */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ProtocolError, utf8 } from "@kerbside/protocol";
import {
  followReplica,
  keepReplica,
  type LinkCertificates,
  makeDirectory,
  openReplica,
  type ReplicaRound,
  replaceFile,
  serveReplica,
} from "@kerbside/tenants";
import { dataDirectory, settleStage, stageHere } from "../config.ts";
import { serviceLog } from "../log.ts";
import { serviceClock } from "../ports.ts";
import { type Command, DATA_OPTION, type Input, JSON_OPTION, UsageError } from "./command.ts";

const EVERY_MS_MAX = 60_000;
const EVERY_OPTION = { value: "N", default: "1000", doc: "from one round to the next" };
const TLS_OPTION = {
  value: "DIR",
  required: true,
  doc: "ca.pem, cert.pem and key.pem of this side, as `replica keys` makes them",
};
const TO_OPTION = { value: "DIR", required: true, doc: "the replica: a data directory itself" };
const SIDES = ["primary", "standby"] as const;

export const REPLICA_COMMANDS: readonly Command[] = [
  {
    name: "replicate",
    summary: "Keeps a live replica of a data directory, until it is stopped.",
    options: { data: DATA_OPTION, json: JSON_OPTION, to: TO_OPTION, "every-ms": EVERY_OPTION },
    run: replicate,
  },
  {
    name: "replica serve",
    summary: "Lets another machine keep a live replica of a data directory, until it is stopped.",
    options: {
      data: DATA_OPTION,
      json: JSON_OPTION,
      listen: { value: "HOST:PORT", required: true, doc: "where the other machine dials" },
      tls: TLS_OPTION,
      "every-ms": EVERY_OPTION,
    },
    run: serve,
  },
  {
    name: "replica follow",
    summary: "Keeps a live replica of what another machine serves, until it is stopped.",
    options: {
      json: JSON_OPTION,
      to: TO_OPTION,
      from: { value: "HOST:PORT", required: true, doc: "where `replica serve` listens" },
      tls: TLS_OPTION,
    },
    run: follow,
  },
  {
    name: "replica keys",
    summary: "Makes the certificates of both sides, under an authority that is for nothing else.",
    options: {
      json: JSON_OPTION,
      to: { value: "DIR", required: true, doc: "gets `primary` and `standby`, a directory a side" },
      host: {
        value: "HOST",
        required: true,
        doc: "name or address at which the primary is dialled",
      },
    },
    run: makeKeys,
  },
];

async function stopped(input: Input): Promise<void> {
  if (!input.stop.aborted)
    await new Promise<void>((done) =>
      input.stop.addEventListener("abort", () => done(), { once: true }),
    );
}

/** Tells of the first round, and refuses a directory that is none of a cloud. */
function toldOnce(input: Input, source: string): (round: ReplicaRound) => void {
  let isFirst = true;
  return (round) => {
    if (isFirst && round.files === 0)
      throw new ProtocolError("not_found", `${source}: is no data directory of a cloud`);
    if (isFirst)
      input.print({ ready: true, ...round }, `replica is up to date: ${round.files} files`);
    isFirst = false;
  };
}

async function replicate(input: Input): Promise<number> {
  const everyMs = input.integer("every-ms", 1, EVERY_MS_MAX);
  const source = dataDirectory(input.text("data"));
  settleStage(source, input.env, false);
  const replica = openReplica(source, resolve(input.text("to")));
  const failed = Promise.withResolvers<never>();
  const stop = keepReplica(replica, everyMs, {
    clock: serviceClock(),
    log: serviceLog("replica"),
    told: toldOnce(input, source),
    lost: failed.reject,
  });
  try {
    await Promise.race([stopped(input), failed.promise]);
  } finally {
    stop();
  }
  return 0;
}

function endpoint(input: Input, name: "listen" | "from"): { host: string; port: number } {
  const [, host, port] = /^\[?([0-9A-Za-z.:-]+?)\]?:(\d{1,5})$/.exec(input.text(name)) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new UsageError(`--${name}: expected HOST:PORT`);
  return { host, port: Number(port) };
}

function certificatesIn(directory: string): LinkCertificates {
  const read = (name: string): string => {
    try {
      return readFileSync(join(directory, name), "utf8");
    } catch {
      throw new ProtocolError("not_found", `${join(directory, name)}: cannot be read`);
    }
  };
  return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
}

async function serve(input: Input): Promise<number> {
  const everyMs = input.integer("every-ms", 1, EVERY_MS_MAX);
  const source = dataDirectory(input.text("data"));
  settleStage(source, input.env, false);
  const certificates = certificatesIn(resolve(input.text("tls")));
  const parts = { clock: serviceClock(), log: serviceLog("replica") };
  const { host, port } = endpoint(input, "listen");
  const told = ({ files }: ReplicaRound): void => {
    if (files === 0) parts.log.warn("replica.failed", { reason: "no data directory" });
  };
  const served = await serveReplica({ ...parts, source, host, port, certificates, everyMs, told });
  input.print({ ready: true, port: served.port }, `a replica is served on port ${served.port}`);
  await stopped(input);
  await served.close();
  return 0;
}

async function follow(input: Input): Promise<number> {
  const certificates = certificatesIn(resolve(input.text("tls")));
  const { host, port } = endpoint(input, "from");
  let isFirst = true;
  const told = (): void => {
    if (isFirst) input.print({ ready: true }, "replica is up to date");
    isFirst = false;
  };
  const parts = { clock: serviceClock(), log: serviceLog("replica") };
  const refused = Promise.withResolvers<never>();
  const stop = followReplica({
    ...parts,
    to: resolve(input.text("to")),
    host,
    port,
    certificates,
    told,
    stage: stageHere(input.env),
    refused: refused.reject,
  });
  try {
    await Promise.race([stopped(input), refused.promise]);
  } finally {
    stop();
  }
  return 0;
}

async function makeKeys(input: Input): Promise<number> {
  const { makeLinkCertificates } = await import("@kerbside/identity");
  const to = resolve(input.text("to"));
  const made = await makeLinkCertificates(input.text("host"), Date.now());
  for (const side of SIDES) {
    const directory = join(to, side);
    makeDirectory(directory);
    for (const [name, text] of Object.entries(made[side]))
      replaceFile(join(directory, `${name}.pem`), utf8(text));
  }
  input.print({ primary: join(to, "primary"), standby: join(to, "standby") }, `in ${to}`);
  return 0;
}
