/**
 * What the running agent tells of its buffer and its line, in Prometheus' text format 0.0.4, to whoever may enter its data
 * directory: numbers only, no label names anybody. A connection to the socket is answered with the text and ended;
 * nothing is written to the flash for it, and nothing is made until somebody asks.
 */
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import type { BufferStatus } from "@kerbside/buffer";
import { LANES, type Lane, type Log, ProtocolError } from "@kerbside/protocol";
import type { UplinkStatus } from "@kerbside/uplink";

export type AgentStatus = {
  readonly buffer: BufferStatus;
  readonly uplink: UplinkStatus;
  /** Unix time by the car's clocks, for ages. */
  readonly nowMs: number;
};

type Value = number | Readonly<Record<Lane, number>> | undefined;
type Metric = {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** Undefined: not known, and left out. */
  readonly of: (status: AgentStatus) => Value;
};

const METRICS: readonly Metric[] = [
  {
    name: "buffer_segments",
    type: "gauge",
    help: "closed segments held",
    of: ({ buffer }) => buffer.segments,
  },
  { name: "buffer_bytes", type: "gauge", help: "bytes held", of: ({ buffer }) => buffer.bytes },
  {
    name: "buffer_bytes_max",
    type: "gauge",
    help: "bytes that may be held",
    of: ({ buffer }) => buffer.bytesMax,
  },
  {
    name: "buffer_age_seconds",
    type: "gauge",
    help: "how long the oldest that is held has been so at least, by trusted time",
    of: ({ buffer: { heldSinceMs }, nowMs }) =>
      heldSinceMs === undefined ? undefined : Math.max(0, Math.round((nowMs - heldSinceMs) / 1000)),
  },
  {
    name: "buffer_lost_total",
    type: "counter",
    help: "events refused or given up, each declared as a gap or told of as a fault",
    of: ({ buffer }) => buffer.lost,
  },
  {
    name: "buffer_working",
    type: "gauge",
    help: "1 while events are kept on the disk",
    of: ({ buffer }) => Number(buffer.state === "working"),
  },
  {
    name: "uplink_online",
    type: "gauge",
    help: "1 while there is a connection",
    of: ({ uplink }) => Number(uplink.state === "online"),
  },
  {
    name: "uplink_connections_total",
    type: "counter",
    help: "connections that came about",
    of: ({ uplink }) => uplink.connections,
  },
  {
    name: "uplink_segments_sent_total",
    type: "counter",
    help: "segments sent, each time counted",
    of: ({ uplink }) => uplink.segmentsSent,
  },
  {
    name: "uplink_segments_acknowledged_total",
    type: "counter",
    help: "segments that the store has",
    of: ({ uplink }) => uplink.segmentsAcknowledged,
  },
  {
    name: "uplink_retries_total",
    type: "counter",
    help: "segments sent again because no acknowledgement came in time",
    of: ({ uplink }) => uplink.retries,
  },
  {
    name: "uplink_bytes_sent_total",
    type: "counter",
    help: "bytes of segments sent",
    of: ({ uplink }) => uplink.bytesSent,
  },
  {
    name: "uplink_acks_ignored_total",
    type: "counter",
    help: "acknowledgements that were not believed",
    of: ({ uplink }) => uplink.acksIgnored,
  },
  {
    name: "uplink_under_way",
    type: "gauge",
    help: "segments sent and not acknowledged",
    of: ({ uplink }) => uplink.underWay,
  },
  {
    name: "uplink_budget_spent_bytes",
    type: "gauge",
    help: "bytes of the day of the budget",
    of: ({ uplink }) => uplink.spent,
  },
];

export function agentMetrics(status: AgentStatus): string {
  const lines = METRICS.flatMap(({ name, type, help, of }) => {
    const full = `kerbside_agent_${name}`;
    const value = of(status);
    if (value === undefined) return [];
    const samples =
      typeof value === "number"
        ? [`${full} ${value}`]
        : LANES.map((lane) => `${full}{lane="${lane}"} ${value[lane]}`);
    return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...samples];
  });
  return `${lines.join("\n")}\n`;
}

/** The samples of such a text, each under its name and label. */
export function metricValues(text: string): Readonly<Record<string, number>> {
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    samples.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

function socketOf(dataDir: string): string {
  return join(dataDir, "metrics.sock");
}

/**
 * Answers whoever connects, for the agent's own user alone, until the returned function is called. Where it cannot, it is
 * told of once, and the agent goes on without.
 */
export function serveMetrics(dataDir: string, read: () => AgentStatus, log: Log): () => void {
  const path = socketOf(dataDir);
  const orTell = (run: () => void): boolean => {
    try {
      run();
      return true;
    } catch (error) {
      log.warn("metrics.not_served", { code: codeOf(error) });
      return false;
    }
  };
  const server = createServer((socket) => {
    // Whoever goes away early needs no answer.
    socket.on("error", () => socket.destroy());
    // Reading asks the disk, which may fail. Who never hangs up is not waited for: the agent could not end.
    const answered = orTell(() => socket.end(agentMetrics(read()), () => socket.destroy()));
    if (!answered) socket.destroy();
  });
  // To be asked is no reason to stay alive.
  server.unref();
  server.on("error", (error) => log.warn("metrics.not_served", { code: codeOf(error) }));
  const listening = orTell(() => {
    // What an agent left that was killed.
    rmSync(path, { force: true });
    server.listen(path, () => {
      if (!orTell(() => chmodSync(path, 0o600))) server.close();
    });
  });
  return () => {
    if (listening) server.close();
  };
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error ? String(error.code) : error.name;
}

/** The text of the agent that runs on this data directory. Rejects with ProtocolError `unavailable` where none does. */
export function readMetrics(dataDir: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(socketOf(dataDir));
    socket.setEncoding("utf8");
    socket.on("data", (part: string) => {
      text += part;
    });
    socket.on("end", () => {
      if (text === "")
        reject(new ProtocolError("unavailable", `${dataDir}: the agent on it could not tell`));
      else resolve(text);
    });
    socket.on("error", (cause) =>
      reject(new ProtocolError("unavailable", `${dataDir}: no agent runs on it`, { cause })),
    );
  });
}
