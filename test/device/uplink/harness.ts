/**
 * A car and its cloud over a real line: enrolment over HTTPS, the embedded broker over mutual TLS, and a TCP proxy
 * between that misbehaves on demand. The far end stores with the small cloud of the tests, and acknowledges unless
 * it is told not to.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, startBroker } from "@kerbside/broker";
import { type BufferOptions, type Buffer as CarBuffer, openBuffer } from "@kerbside/buffer";
import {
  enrol as admit,
  identifyCertificate,
  openPlatformAuthority,
  openTenantAuthority,
  type PlatformAuthority,
  type TenantAuthority,
} from "@kerbside/identity";
import {
  certifyKey,
  cryptoReady,
  type EnrolmentRequest,
  randomBytes,
  type SigningKey,
  type SourceMessage,
  signingKey,
  type Transport,
  type Vault,
} from "@kerbside/protocol";
import {
  type Budget,
  type CommandExecutor,
  createSession,
  enrol,
  type Identity,
  mqttTransport,
  type Session,
  startUplink,
  type Uplink,
  type UplinkLimits,
} from "@kerbside/uplink";
import { ADDRESS, type CarCloud, carCloud } from "../../support/car-cloud.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { type TcpProxy, tcpProxy } from "../../support/tcp-proxy.ts";

const YEAR_MS = 365 * 86_400_000;
export const TOKEN = "the-token-of-this-test";

/** Quick enough for tests, slow enough for a busy machine. */
export const QUICK: Partial<UplinkLimits> = {
  ackTimeoutMs: 1500,
  publishTimeoutMs: 1500,
  backoffMsMin: 20,
  backoffMsMax: 200,
};

export type Line = {
  readonly dir: string;
  readonly cloud: CarCloud;
  readonly broker: Broker;
  readonly proxy: TcpProxy;
  readonly identity: Identity;
  readonly commandKey: SigningKey;
  readonly enrolUrl: string;
  readonly rootCa: string;
  /** Everything the broker handed over, in order. */
  readonly received: readonly SourceMessage[];
  /** What the store's side does with a segment; `store` by default. */
  readonly setIngest: (mode: IngestMode) => void;
  readonly openBuffer: (options?: Partial<BufferOptions>) => Promise<CarBuffer>;
  readonly session: Session;
  readonly start: (buffer: CarBuffer, options?: StartOptions) => Uplink;
  readonly close: () => Promise<void>;
};
/** `mute`: stores, and says nothing. `stuck`: never answers, so that no PUBACK comes. */
export type IngestMode = "store" | "mute" | "stuck";
export type StartOptions = {
  readonly commands?: CommandExecutor;
  readonly limits?: Partial<UplinkLimits>;
  readonly keepaliveS?: number;
  readonly budget?: Budget;
  readonly wantsTime?: () => boolean;
  /** What stands between the uplink and its line. */
  readonly through?: (transport: Transport) => Transport;
};

function memoryVault(): Vault {
  const secrets = new Map<string, Uint8Array>();
  return {
    get: (name) => Promise.resolve(secrets.get(name)),
    put: (name, secret) => {
      secrets.set(name, secret);
      return Promise.resolve();
    },
    names: () => Promise.resolve([...secrets.keys()]),
  };
}

const NO_COMMANDS: CommandExecutor = {
  execute: () => Promise.reject(new Error("no command was expected")),
};

export async function line(): Promise<Line> {
  await cryptoReady();
  const dir = mkdtempSync(join(tmpdir(), "kerbside-uplink-"));
  const platform = await openPlatformAuthority(memoryVault(), Date.now);
  const tenant = await openTenantAuthority(platform, ADDRESS.tenant, memoryVault(), Date.now);
  const server = await platform.issueServer({ dns: ["localhost"], ip: ["127.0.0.1"] });
  const authorityKey = signingKey(randomBytes(32));
  const commandKey = signingKey(randomBytes(32));
  const ingestPair = carCloud(randomBytes(32));
  const admission = {
    platform,
    tenant,
    server,
    authorityKey,
    commandKey,
    ingestKey: ingestPair.ingestKey.publicKey,
  };
  const https = await listenForEnrolment(admission);
  const identity = await enrol({
    dir,
    address: ADDRESS,
    url: https.url,
    ca: platform.rootCertificate,
    token: TOKEN,
  });
  const cloud = ingestPair.withKey(identity.signingKey);
  const far = await farEnd(platform, tenant, server, cloud);
  const proxy = await tcpProxy(far.broker.port);
  const session = createSession(realClock, realRandom);
  const opened: { close: () => Promise<void> }[] = [];
  return {
    dir,
    cloud,
    proxy,
    identity,
    commandKey,
    session,
    enrolUrl: https.url,
    rootCa: platform.rootCertificate,
    ...far,
    openBuffer: async (options = {}) => {
      const buffer = await openBuffer({
        dir,
        address: ADDRESS,
        signingKey: identity.signingKey,
        ingestKey: identity.ingestKey,
        agentVersion: "test",
        clock: realClock,
        random: realRandom,
        log: silentLog,
        trackWindowMs: 250,
        limits: { closeAfterMs: { critical: 0, state: 20, track: 50 } },
        ...options,
      });
      opened.push(buffer);
      return buffer;
    },
    start: (buffer, options = {}) => {
      const uplink = startCar(identity, proxy.port, session, buffer, options);
      opened.unshift(uplink);
      return uplink;
    },
    close: async () => {
      for (const part of opened) await part.close();
      await proxy.close();
      await far.broker.close();
      await new Promise((done) => {
        https.server.close(done);
        https.server.closeAllConnections();
      });
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function startCar(
  identity: Identity,
  port: number,
  session: Session,
  buffer: CarBuffer,
  options: StartOptions,
): Uplink {
  const { commands = NO_COMMANDS, limits = {}, keepaliveS = 60, budget, wantsTime } = options;
  const { through = (transport) => transport } = options;
  const transport = mqttTransport({
    address: ADDRESS,
    host: "127.0.0.1",
    port,
    tls: () => identity.tls,
    clock: realClock,
    keepaliveS,
  });
  return startUplink({
    address: ADDRESS,
    transport: through(transport),
    buffer,
    session,
    signingKey: identity.signingKey,
    commandKey: () => identity.commandKey,
    commands,
    clock: realClock,
    random: realRandom,
    log: silentLog,
    agentVersion: "test",
    profile: "test/1",
    limits: { ...QUICK, ...limits },
    ...(budget === undefined ? {} : { budget }),
    ...(wantsTime === undefined ? {} : { wantsTime }),
  });
}

type ServerCertificate = Awaited<ReturnType<PlatformAuthority["issueServer"]>>;

async function farEnd(
  platform: PlatformAuthority,
  tenant: TenantAuthority,
  server: ServerCertificate,
  cloud: CarCloud,
): Promise<Pick<Line, "broker" | "received" | "setIngest">> {
  const broker = await startBroker({
    port: 0,
    host: "127.0.0.1",
    tls: { key: server.key, cert: server.cert, ca: [platform.rootCertificate] },
    identify: (certificate) =>
      identifyCertificate(certificate, () => Promise.resolve(tenant.certificate), Date.now()),
    log: silentLog,
    clock: realClock,
  });
  const received: SourceMessage[] = [];
  const unstick: ((value?: unknown) => void)[] = [];
  let mode: IngestMode = "store";
  await broker.source.start(async (message) => {
    received.push(message);
    if (message.topic.channel !== "up") return;
    if (mode === "stuck") {
      await new Promise((done) => unstick.push(done));
      throw new Error("the store was stuck");
    }
    cloud.take(message.payload);
    if (mode === "mute") return;
    for (const log of cloud.logs()) {
      await broker.downlink.send(ADDRESS, "ack", cloud.ackOf(log)).catch(() => undefined);
    }
  });
  return {
    broker,
    received,
    setIngest: (next) => {
      mode = next;
      for (const done of unstick.splice(0)) done();
    },
  };
}

type Admission = {
  readonly platform: PlatformAuthority;
  readonly tenant: TenantAuthority;
  readonly server: ServerCertificate;
  readonly authorityKey: SigningKey;
  readonly commandKey: SigningKey;
  readonly ingestKey: Uint8Array;
};

async function listenForEnrolment(
  admission: Admission,
): Promise<{ readonly server: Server; readonly url: string }> {
  const { server: tls } = admission;
  const server = createServer(
    { key: tls.key, cert: tls.cert, minVersion: "TLSv1.3" },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        admitCar(admission, JSON.parse(Buffer.concat(chunks).toString("utf8"))).then(
          (answer) => response.end(JSON.stringify(answer)),
          () => response.writeHead(403).end("{}"),
        );
      });
    },
  );
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const at = server.address();
  if (at === null || typeof at === "string") throw new Error("enrolment: no port");
  return { server, url: `https://localhost:${at.port}` };
}

function admitCar(
  { platform, tenant, authorityKey, commandKey, ingestKey }: Admission,
  request: EnrolmentRequest,
): ReturnType<typeof admit> {
  const certify = (purpose: "command" | "ingest", publicKey: Uint8Array): Uint8Array =>
    certifyKey(authorityKey, {
      tenant: ADDRESS.tenant,
      purpose,
      version: 1,
      publicKey,
      notBeforeMs: Date.now(),
      notAfterMs: Date.now() + YEAR_MS,
    });
  return admit(request, {
    tokens: {
      checkEnrolmentToken: (_, token) =>
        Promise.resolve(token === TOKEN ? "kerbside-sim/1" : undefined),
      consumeEnrolmentToken: () => Promise.resolve(true),
    },
    tenant: () =>
      Promise.resolve({
        store: { putVehicle: () => Promise.resolve() },
        authority: tenant,
        keyAuthority: () => Promise.resolve({ version: 1, key: authorityKey.publicKey }),
        keyCertificates: () =>
          Promise.resolve(
            new Map([
              ["command", certify("command", commandKey.publicKey)],
              ["ingest", certify("ingest", ingestKey)],
            ] as const),
          ),
      }),
    serverCa: platform.rootCertificate,
    broker: { host: "localhost", port: 8883 },
    nowMs: Date.now,
  });
}
