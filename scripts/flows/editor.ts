/** The Node-RED editor on this machine, over TLS and behind a password, with the car's nodes and no others. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { createRequire } from "node:module";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EXCLUDED_NODES, Judge } from "../../device/flows/index.ts";
import { DemoError } from "../demo/processes.ts";
import type { FlowDocument } from "./document.ts";
import type { Feed } from "./feed.ts";

type NodeRed = {
  init(server: unknown, settings: object): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly httpAdmin: (request: unknown, response: unknown) => void;
};

export type EditorOptions = {
  readonly port: number;
  /** Holds `server.pem` and `server.key`. */
  readonly tls: string;
  readonly document: FlowDocument;
  readonly feed: Feed;
  readonly told: (words: string) => void;
};
export type Editor = {
  readonly port: number;
  readonly password: string;
  readonly close: () => Promise<void>;
};

const USER = "rules";

/** Throws DemoError where the port is taken. */
export async function startEditor(options: EditorOptions): Promise<Editor> {
  const { port, tls } = options;
  const RED = createRequire(import.meta.url)("node-red") as NodeRed;
  const password = randomBytes(9).toString("base64url");
  const home = mkdtempSync(join(tmpdir(), "kerbside-flows-"));
  // Node-RED looks for one in its folder.
  writeFileSync(join(home, "package.json"), `{"name":"rules","private":true}`);
  const server = createServer(
    {
      cert: readFileSync(join(tls, "server.pem")),
      key: readFileSync(join(tls, "server.key")),
      minVersion: "TLSv1.3",
    },
    (request, response) => RED.httpAdmin(request, response),
  );
  // A page that stays open holds a web socket, which the server does not count among its connections.
  const sockets = new Set<Socket>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new DemoError(`port ${port}: ${error.message}`)));
    server.listen(port, "127.0.0.1", resolve);
  });
  RED.init(server, settings(options, home, password));
  await RED.start();
  return {
    port: (server.address() as AddressInfo).port,
    password,
    close: async () => {
      await RED.stop();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function settings({ document, feed, told }: EditorOptions, home: string, password: string): object {
  const user = { username: USER, permissions: "*" };
  return {
    userDir: home,
    nodesDir: fileURLToPath(new URL("../../device/flows/palette/", import.meta.url)),
    nodesExcludes: EXCLUDED_NODES,
    kerbside: { car: feed.car, propose: proposer(document, told) },
    storageModule: storageOf(document),
    httpAdminRoot: "/",
    httpNodeRoot: false,
    credentialSecret: false,
    functionExternalModules: false,
    functionTimeout: 2,
    externalModules: { palette: { allowInstall: false }, modules: { allowInstall: false } },
    telemetry: { enabled: false },
    diagnostics: { enabled: false, ui: false },
    logging: { console: { level: "warn", metrics: false, audit: false } },
    editorTheme: {
      page: { title: "Kerbside rules" },
      header: { title: "Kerbside rules" },
      tours: false,
      projects: { enabled: false },
      palette: { categories: ["kerbside", "common", "function", "sequence"] },
    },
    adminAuth: {
      type: "credentials",
      users: async (name: string) => (name === USER ? user : null),
      authenticate: async (name: string, given: string) =>
        name === USER && same(given, password) ? user : null,
    },
  };
}

function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Judges a proposal as the car would, by the file as it is now; the node shows what came of it. */
function proposer(
  document: FlowDocument,
  told: (words: string) => void,
): (node: string, event: string, data: unknown) => string {
  let judge = new Judge([], performance.now());
  return (_node, event, data) => {
    const flow = document.read();
    if (flow === undefined) return "refused: the flow file is wrong";
    judge = new Judge([flow], performance.now(), judge);
    const judged = judge.judge(flow.name, event, data, performance.now());
    const words = judged.taken ? "taken" : `refused: ${judged.reason}`;
    told(`${event} ${JSON.stringify(data)}: ${words}`);
    return words;
  };
}

function storageOf(document: FlowDocument): object {
  const nothing = async (): Promise<object> => ({});
  let sessions: object = {};
  return {
    init: async () => undefined,
    getFlows: async () => document.nodes(),
    saveFlows: async (nodes: Parameters<FlowDocument["save"]>[0]) => document.save(nodes),
    getCredentials: nothing,
    saveCredentials: nothing,
    getSettings: nothing,
    saveSettings: nothing,
    getSessions: async () => sessions,
    saveSessions: async (kept: object) => {
      sessions = kept;
    },
    getLibraryEntry: async () => [],
    saveLibraryEntry: nothing,
  };
}
