/**
 * Runs inside the cage: Node-RED without editor, network nodes or files, fed over one pipe and heard over another. It
 * is not trusted with anything, and imports no other package of ours: they are not in the cage.
 */
import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { ToCage } from "./lines.ts";
import { EXCLUDED_NODES } from "./node-types.ts";

/** What the runtime and its helper offer, as far as it is used here. */
type NodeRed = {
  readonly init: (settings: object, server?: undefined) => void;
  readonly start: () => Promise<unknown>;
};
type Util = {
  readonly init: (settings: object) => void;
  readonly events: EventEmitter;
};
/** What our palette's nodes find in `RED.settings.kerbside`. */
export type Kerbside = {
  /** Emits `signals` with `{bootMs, values}` and `trip` with `{phase, data}`. */
  readonly car: EventEmitter;
  readonly propose: (flow: string, event: string, data: unknown) => void;
};

const AGENT_FD = 3;
const NODES_MAX = 2000;

const require = createRequire(import.meta.url);
const agent = new Socket({ fd: AGENT_FD, readable: false, writable: true });
agent.on("error", () => process.exit(1));
const say = (message: object): void => void agent.write(`${JSON.stringify(message)}\n`);
const car = new EventEmitter();
car.setMaxListeners(NODES_MAX);

type Start = Extract<ToCage, { type: "start" }>;

async function start({ flows }: Start): Promise<void> {
  const owners = new Map(
    flows.flatMap(({ name, nodes }) => nodes.map((node) => [idOf(node), name] as const)),
  );
  const kerbside: Kerbside = {
    car,
    propose: (node, event, data) => say({ type: "event", flow: owners.get(node), event, data }),
  };
  const nodes = flows.flatMap((flow) => flow.nodes);
  const runtime: NodeRed = require("@node-red/runtime");
  const util: Util = require("@node-red/util");
  const settings = settingsFor(nodes, kerbside);
  util.init(settings);
  runtime.init(settings, undefined);
  const started = new Promise((resolve) => util.events.once("flows:started", resolve));
  await runtime.start();
  await started;
  say({ type: "ready" });
}

function idOf(node: unknown): string {
  return typeof node === "object" && node !== null && "id" in node ? String(node.id) : "";
}

function settingsFor(nodes: readonly unknown[], kerbside: Kerbside): object {
  const home = fileURLToPath(new URL(".", import.meta.url));
  return {
    kerbside,
    httpAdminRoot: false,
    httpNodeRoot: false,
    httpStatic: false,
    disableEditor: true,
    credentialSecret: false,
    storageModule: storageOf(nodes),
    coreNodesDir: dirname(require.resolve("@node-red/nodes")),
    nodesDir: fileURLToPath(palette()),
    nodesExcludes: EXCLUDED_NODES,
    userDir: home,
    logging: { console: { level: "off", metrics: false, audit: false } },
    functionExternalModules: false,
    functionTimeout: 2,
    externalModules: {
      autoInstall: false,
      palette: { allowInstall: false, allowUpload: false },
      modules: { allowInstall: false },
    },
    diagnostics: { enabled: false, ui: false },
    runtimeState: { enabled: false, ui: false },
    telemetry: { enabled: false },
  };
}

/** Beside this file in the source; one folder up when built. */
function palette(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./palette/" : "../palette/", import.meta.url);
}

/** Flows come over the pipe; nothing is kept. */
function storageOf(nodes: readonly unknown[]): object {
  const nothing = async (): Promise<object> => ({});
  return {
    init: async () => undefined,
    getFlows: async () => nodes,
    saveFlows: nothing,
    getCredentials: nothing,
    saveCredentials: nothing,
    getSettings: nothing,
    saveSettings: nothing,
    getSessions: nothing,
    saveSessions: nothing,
    getLibraryEntry: async () => [],
    saveLibraryEntry: nothing,
  };
}

function take(message: ToCage): void {
  switch (message.type) {
    case "start":
      start(message).catch(() => {
        say({ type: "failed" });
        process.exit(1);
      });
      return;
    case "ping":
      say({ type: "pong", number: message.number });
      return;
    case "signals":
      car.emit("signals", message);
      return;
    case "trip":
      car.emit("trip", message);
  }
}

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (rest + String(chunk)).split("\n");
  rest = lines.pop() ?? "";
  // The agent's own lines: they are what their type says.
  for (const line of lines) take(JSON.parse(line) as ToCage);
});
process.stdin.on("end", () => process.exit(0));
// An error in a function that runs later (a timer, a promise) is its own: the other rules go on.
process.on("uncaughtException", () => undefined);
process.on("unhandledRejection", () => undefined);
