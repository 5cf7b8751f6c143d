/**
 * A cloud in small for these tests: real tenant stores on disk, the real signer in a process of its own, the real API
 * over HTTPS; and a car that speaks the real protocol, whose answers each test chooses.
 */
import "reflect-metadata";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tenantTools } from "@kerbside/cloud";
import {
  type ApiOptions,
  ArtefactService,
  answerAnnouncements,
  apiServer,
  BookingService,
  CommandService,
  carMessageHandler,
  connectSigner,
  GrantService,
  provisionSigner,
  type SignerClient,
} from "@kerbside/commands";
import { INGEST_LIMITS, Quarantine } from "@kerbside/ingest";
import {
  type Channel,
  type Clock,
  ProtocolError,
  type Quotas,
  randomBytes,
  signingKey,
  systemClock,
  systemRandom,
  tenantId,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import { openRegistry, type Registry } from "@kerbside/tenants";
import * as x509 from "@peculiar/x509";
import { jwtVerify } from "jose";
import { Car, DEMO } from "./car.ts";
import { type Issuer, issuer, tokenVerifierOf } from "./tokens.ts";

export const OTHER = tenantId("other");
export const CAR = vehicleId("car-1");
/** Enrolled, and never connected. */
export const SILENT_CAR = vehicleId("car-2");
const START_MS_MAX = 20_000;
/** Short, so that the tests need not wait long for what never comes. */
export const DEADLINE_MS = 1500;

export const clock: Clock = systemClock(
  () => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000,
);
const silent = (): void => undefined;
export const log = { info: silent, warn: silent, error: silent };
const audit = (action: string) =>
  ({ actor: "test", action, subject: "test", outcome: "done" }) as const;

export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // Read by tests that know what they asked for.
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts on each part it reads
  readonly body: any;
};
export type Ask = {
  readonly method?: string;
  readonly path: string;
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly raw?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Rig = {
  readonly dir: string;
  readonly registry: Registry;
  readonly issuer: Issuer;
  readonly car: Car;
  readonly commandKey: Uint8Array;
  readonly grantKey: Uint8Array;
  readonly timeKey: Uint8Array;
  readonly artefactKey: Uint8Array;
  readonly commands: () => CommandService;
  readonly signer: () => SignerClient;
  readonly port: () => number;
  readonly ca: string;
  readonly fromCar: ReturnType<typeof carMessageHandler>;
  readonly ask: (ask: Ask) => Promise<Reply>;
  readonly store: (
    tenant?: string,
  ) => Promise<NonNullable<Awaited<ReturnType<Registry["tenant"]>>>["store"]>;
  readonly stopSigner: () => Promise<void>;
  readonly startSigner: () => Promise<void>;
  /** A new API process over the same store, as after a crash: nothing of the old one's memory is left. */
  readonly restartNode: () => Promise<void>;
  /** One more API process beside the first, over the same store. */
  readonly anotherNode: () => Promise<Node>;
  readonly close: () => Promise<void>;
};

async function serverCertificate(): Promise<{ readonly key: string; readonly cert: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=localhost",
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64")}\n-----END PRIVATE KEY-----\n`;
  return { key, cert: made.toString("pem") };
}

export async function spawnSigner(config: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("./signer-child.ts", import.meta.url));
  const child = spawn(process.execPath, [script, config], { stdio: ["ignore", "pipe", "ignore"] });
  const ready = once(child.stdout, "data", { signal: AbortSignal.timeout(START_MS_MAX) });
  const [text] = await Promise.race([
    ready,
    once(child, "exit").then(() => ["the signer ended"] as const),
  ]);
  if (!String(text).startsWith("ready")) throw new Error(String(text));
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** What else is served beside the API. */
export type Beside = (
  app: Awaited<ReturnType<typeof apiServer>>,
  tokens: Issuer,
) => void | Promise<void>;

/** More of what the API is made with. */
export type More = Partial<Pick<ApiOptions, "webhookAddress" | "platform">> & {
  /** Of the first tenant. */
  readonly quotas?: () => Quotas;
  /** Whether all tokens are refused, as after a lock of their accounts. */
  readonly isLocked?: () => boolean;
};

export async function openRig(beside: Beside = () => undefined, more: More = {}): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), "kb-commands-"));
  const masterKey = randomBytes(32);
  const signerKey = randomBytes(32);
  const socket = join(dir, "signer.sock");
  const registry = await openRegistry({ dir, masterKey, create: true });
  const car = new Car(CAR);
  let commandKey: Uint8Array = new Uint8Array();
  let grantKey: Uint8Array = new Uint8Array();
  let timeKey: Uint8Array = new Uint8Array();
  let artefactKey: Uint8Array = new Uint8Array();
  for (const tenant of [DEMO, OTHER]) {
    await registry.create(tenant, signerKey, audit("tenant.create"), async (made) => {
      const keys = await provisionSigner(made.signerVault, systemRandom);
      if (tenant === DEMO) {
        commandKey = keys.command.publicKey;
        grantKey = keys.grant.publicKey;
        timeKey = keys.time.publicKey;
        artefactKey = keys.artefact.publicKey;
      }
      const silentKey = signingKey(randomBytes(32)).publicKey;
      const cars = tenant === DEMO ? [CAR, SILENT_CAR] : [CAR];
      for (const vehicle of cars) {
        const record = {
          vehicle,
          profile: "kerbside-sim/1",
          signingKey: tenant === DEMO && vehicle === CAR ? car.key.publicKey : silentKey,
          certificateSerial: "01",
          enrolledAtMs: Date.now(),
        };
        await made.store.putVehicle(record, audit("vehicle.enrol"));
      }
    });
  }
  const tokens = await issuer();
  const config = join(dir, "signer.json");
  const child = { dir, socket, signerKey: Buffer.from(signerKey).toString("hex"), jwk: tokens.jwk };
  writeFileSync(config, JSON.stringify(child), { mode: 0o600 });
  return assemble({
    dir,
    registry,
    tokens,
    car,
    commandKey,
    grantKey,
    timeKey,
    artefactKey,
    socket,
    config,
    beside,
    more,
  });
}

type Made = {
  readonly dir: string;
  readonly registry: Registry;
  readonly tokens: Issuer;
  readonly car: Car;
  readonly commandKey: Uint8Array;
  readonly grantKey: Uint8Array;
  readonly timeKey: Uint8Array;
  readonly artefactKey: Uint8Array;
  readonly socket: string;
  readonly config: string;
  readonly beside: Beside;
  readonly more: More;
};

async function assemble(made: Made): Promise<Rig> {
  const { dir, registry, tokens, car, commandKey, grantKey, timeKey, artefactKey, config } = made;
  const tls = await serverCertificate();
  let signerProcess = await spawnSigner(config);
  const start = () => startNode(made, tls);
  let node = await start();
  const rig: Rig = {
    dir,
    registry,
    issuer: tokens,
    car,
    commandKey,
    grantKey,
    timeKey,
    artefactKey,
    commands: () => node.commands,
    signer: () => node.signer,
    port: () => node.port,
    ca: tls.cert,
    fromCar: (message) => node.fromCar(message),
    ask: (ask) => send(node.port, tls.cert, ask),
    store: async (tenant = DEMO) => {
      const found = await registry.tenant(tenant);
      if (found === undefined) throw new Error("no such tenant");
      return found.store;
    },
    stopSigner: () => stop(signerProcess),
    startSigner: async () => {
      signerProcess = await spawnSigner(config);
    },
    anotherNode: start,
    restartNode: async () => {
      await node.close();
      node = await start();
      await node.commands.pickUp([DEMO]);
    },
    close: async () => {
      await node.close();
      await stop(signerProcess);
      await registry.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  car.joins(rig);
  return rig;
}

type Node = {
  readonly commands: CommandService;
  readonly signer: SignerClient;
  readonly fromCar: ReturnType<typeof carMessageHandler>;
  readonly port: number;
  readonly close: () => Promise<void>;
};

async function startNode(
  { registry, tokens, car, socket, beside, more }: Made,
  tls: { readonly key: string; readonly cert: string },
): Promise<Node> {
  const signer = connectSigner({ socket, clock });
  const ends = new AbortController();
  const downlink = {
    send: async (to: { vehicle: VehicleId }, channel: Channel, payload: Uint8Array) => {
      if (to.vehicle !== car.vehicle || !car.connected) {
        throw new ProtocolError("vehicle_offline", "vehicle: is not connected");
      }
      if (channel === "command") car.hears(payload);
      else car.takes(channel, payload);
    },
  };
  const { tenant } = registry;
  const commands = new CommandService({
    tenant,
    signer,
    downlink,
    wake: () => car.wake(),
    clock,
    random: systemRandom,
    deadlineMs: DEADLINE_MS,
    log,
  });
  const grants = new GrantService({ tenant, signer, downlink, log });
  const artefacts = new ArtefactService({ tenant, signer, downlink, clock, log });
  const bookings = new BookingService({
    tenant,
    signer,
    clock,
    changed: (id, booking) => grants.bookingChanged(id, booking),
  });
  const { quotas, isLocked = () => false, ...rest } = more;
  const verifyToken = tokenVerifierOf((token, checks) =>
    isLocked() ? Promise.reject(new Error("locked")) : jwtVerify(token, tokens.jwk, checks),
  );
  const app = await apiServer({
    tenant: async (id) => {
      const home = await tenant(id);
      const agreed = id === DEMO && quotas !== undefined ? { quotas } : {};
      return home === undefined ? undefined : { store: home.store, ...agreed };
    },
    tools: async (id) => {
      const found = await tenant(id);
      return found && tenantTools(found, clock);
    },
    commands,
    bookings,
    grants,
    artefacts,
    signer,
    clock,
    log,
    verifyToken,
    tls,
    ...rest,
  });
  await beside(app, tokens);
  await app.listen({ host: "127.0.0.1", port: 0 });
  const telling = { signer, downlink, grants, artefacts, log, clock, closing: ends.signal };
  const announced = answerAnnouncements({ ...telling, keys: async () => undefined });
  const at = app.server.address();
  if (at === null || typeof at === "string") throw new Error("the server has no port");
  return {
    commands,
    signer,
    fromCar: carMessageHandler({
      ...{ tenant, commands, clock, log, announced },
      putAside: new Quarantine({ limits: INGEST_LIMITS, clock, log }).put,
    }),
    port: at.port,
    close: async () => {
      ends.abort();
      await app.close();
      await commands.close();
      await signer.close();
    },
  };
}

function send(port: number, ca: string, ask: Ask): Promise<Reply> {
  const body = ask.raw ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body));
  return new Promise((done, fail) => {
    const outgoing = request(
      {
        host: "127.0.0.1",
        port,
        servername: "localhost",
        ca,
        agent: false,
        method: ask.method ?? (body === undefined ? "GET" : "POST"),
        path: ask.path,
        headers: {
          ...(ask.token === undefined ? {} : { authorization: `Bearer ${ask.token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...ask.headers,
        },
      },
      (incoming) => {
        let text = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (chunk: string) => {
          text += chunk;
        });
        incoming.on("end", () => {
          const json = String(incoming.headers["content-type"]).includes("json");
          const { statusCode = 0, headers } = incoming;
          done({ status: statusCode, headers, text, body: json ? JSON.parse(text) : undefined });
        });
      },
    );
    outgoing.on("error", fail);
    outgoing.end(body);
  });
}
