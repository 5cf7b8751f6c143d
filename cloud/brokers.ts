/** The broker that the node works with: the embedded one, or one of the operator's own that a file names. */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type Broker,
  type BrokerOptions,
  connectOutsideBroker,
  startBroker,
} from "@kerbside/broker";
import { ProtocolError } from "@kerbside/protocol";
import { listens, type Probe } from "./status.ts";

const OTHERS_MAY = 0o077;
const PORT_MAX = 65_535;
const NODE_NAME = /^[A-Za-z0-9-]{1,20}$/;

export type NodeBroker = Pick<Broker, "port" | "source" | "downlink" | "close"> & {
  /** Where cars are told to connect to; undefined: to this cloud. */
  readonly host?: string;
  /** Whether a car is connected, where that can be seen; else its last announcement decides. */
  readonly connected?: Broker["connected"];
  /** End the connections of who was revoked, where they are this process's to end. */
  readonly disconnect: Broker["disconnect"];
  readonly disconnectTenant: Broker["disconnectTenant"];
  /** Whether cars can come in now. */
  readonly answers: Probe;
};

/** Rejects where the embedded broker's port is taken, or the other broker is not there. Throws ProtocolError. */
export async function openBroker(
  file: string | undefined,
  embedded: BrokerOptions,
): Promise<NodeBroker> {
  if (file === undefined) {
    const own = await startBroker(embedded);
    return { ...own, answers: async () => own.listening() };
  }
  const { host, port, node, tls } = readOutsideBroker(file);
  const { clock, log } = embedded;
  const outside = await connectOutsideBroker({ host, port, node, tls, clock, log });
  return {
    ...outside,
    host,
    port,
    answers: listens({ host, port }),
    // Whom its own lists still let in is heard by nobody: what a revoked car sends is put aside.
    disconnect: ({ vehicle }) => embedded.log.warn("broker.not_ours_to_end", { vehicle }),
    disconnectTenant: (tenant) => embedded.log.warn("broker.not_ours_to_end", { tenant }),
  };
}

type Outside = Parameters<typeof connectOutsideBroker>[0];

/** Undefined for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Throws ProtocolError `malformed` naming the file and what was expected, and what the disk throws. */
function readOutsideBroker(file: string): Omit<Outside, "clock" | "log"> {
  const wrong = (why: string): ProtocolError => new ProtocolError("malformed", `${file}: ${why}`);
  const content = parseJson(readFileSync(file, "utf8"));
  const { host, port, node, ca, cert, key, ...more } =
    typeof content === "object" && content !== null
      ? (content as Readonly<Record<string, unknown>>)
      : {};
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) throw wrong(`knows no ${unknown}`);
  if (typeof host !== "string" || host.length === 0) throw wrong("expected host");
  if (typeof port !== "number" || !(port >= 1 && port <= PORT_MAX)) throw wrong("expected port");
  if (typeof node !== "string" || !NODE_NAME.test(node))
    throw wrong("expected node, 1 to 20 letters, digits and -");
  const pem = (name: string, path: unknown): string => {
    if (typeof path !== "string") throw wrong(`expected ${name}, a PEM file`);
    const at = resolve(dirname(file), path);
    if (name === "key" && (statSync(at).mode & OTHERS_MAY) !== 0)
      throw wrong("expected a key that only its owner can read");
    return readFileSync(at, "utf8");
  };
  return {
    host,
    port,
    node,
    tls: { ca: pem("ca", ca), cert: pem("cert", cert), key: pem("key", key) },
  };
}
