/**
 * The node: broker, ingest, commands, API and console in one process, put together from their packages. It has no
 * access to the tenants' command keys; what it cannot do alone it asks of the signer.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import {
  ArtefactService,
  answerAnnouncements,
  apiServer,
  BookingService,
  CommandLevels,
  type CommandParts,
  CommandService,
  carMessageHandler,
  connectSigner,
  GrantService,
  requestMetrics,
  type SignerClient,
} from "@kerbside/commands";
import type { Tiles } from "@kerbside/console";
import {
  type CarGateOptions,
  carGate,
  certificateUsed,
  openPlatformAuthority,
  tenantKeys,
} from "@kerbside/identity";
import {
  createIngest,
  INGEST_LIMITS,
  type Openers,
  openersHere,
  Quarantine,
  threadOpeners,
} from "@kerbside/ingest";
import {
  type BookingRecord,
  type Clock,
  type Log,
  type SourceMessage,
  systemRandom,
  type TenantId,
  type TokenVerifier,
} from "@kerbside/protocol";
import { openRegistry, type Registry } from "@kerbside/tenants";
import {
  type AddressRule,
  addressRule,
  checkAddress,
  sender,
  WebhookWorker,
} from "@kerbside/webhooks";
import type { FastifyInstance } from "fastify";
import { auditChecks } from "./audit-check.ts";
import { watchBlockList } from "./block-list.ts";
import { type NodeBroker, openBroker } from "./brokers.ts";
import { keysOf, watchKeys } from "./certified-keys.ts";
import { Closing } from "./closing.ts";
import { enterEnds } from "./crash-notes.ts";
import { guardServer } from "./front-door.ts";
import { type Homes, homesOf } from "./homes.ts";
import { IngestQuota } from "./ingest-quota.ts";
import { nodesIssuerKeys } from "./issuer-keys.ts";
import { registerIssuerProxy } from "./issuer-proxy.ts";
import { serviceLog } from "./log.ts";
import { issuerSocket, serviceClock, signerSocket } from "./ports.ts";
import { ensureServerFiles } from "./provisioning.ts";
import { recently } from "./recent.ts";
import { registerRenewal } from "./renewal-route.ts";
import { watchRetention } from "./retention-watch.ts";
import { watchRevocations } from "./revocations.ts";
import { tenantTools } from "./tools.ts";
import { type TracedNode, tracedNode } from "./traced.ts";
import type { TracesOptions } from "./traces.ts";
import { type Callers, type EmbeddedIssuer, serviceVerifier, type TrustedIssuer } from "./trust.ts";
import { wakeGateway } from "./wake-gateway.ts";
import { watchNode } from "./watching.ts";
import { registerConsole, registerEnrolment } from "./web-routes.ts";

/** Beside the one that stores: it cannot keep more of them busy. They are started when there is something to open. */
const OPENER_THREADS_MAX = 2;
/** For a tenant's file that another process has locked, while all other tenants wait too. A usual transaction takes less. */
const LOCK_WAIT_MS = 250;
/** In the data directory; see block-list.ts. */
const BLOCK_LIST = "blocked-addresses";

export type NodeOptions = {
  readonly dir: string;
  readonly masterKey: Uint8Array;
  readonly host: string;
  readonly httpsPort: number;
  /** 0: any free one. */
  readonly brokerPort: number;
  /** The embedded issuer's name; undefined where there is none, and its tokens are not believed. */
  readonly issuer?: string;
  /** The names that the servers' certificate is to carry; the first is the one that cars are told. */
  readonly names: readonly [string, ...string[]];
  readonly trusted?: TrustedIssuer;
  /** File that says where telemetry goes; nowhere without it. See telemetry.ts. */
  readonly telemetry?: string;
  /** Where traces go; nowhere without it. See traces.ts. */
  readonly traces?: TracesOptions;
  /** File that says who rings sleeping cars; see wake-gateway.ts. */
  readonly wakeGateway?: string;
  /** Streets for the console's map; without it the map asks nobody. */
  readonly tiles?: Tiles;
  /** File that names a broker in place of the embedded one; see brokers.ts. */
  readonly outsideBroker?: string;
  readonly webhooks?: WebhookWays;
  /** Of the tenants that are served here (P-14). */
  readonly regions: ReadonlySet<string>;
};
/** What webhooks may reach besides public addresses, and whom they trust besides the system's authorities. */
export type WebhookWays = { readonly networks?: AddressRule; readonly ca?: string };
export type RunningNode = {
  readonly brokerPort: number;
  /** Ends in order: no new messages, those under way to the store, then the rest. */
  readonly close: () => Promise<void>;
};

/** Rejects where a port is taken, a key is wrong or a file is damaged; then nothing is left running. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const closing = new Closing();
  try {
    const brokerPort = await start(options, closing);
    return { brokerPort, close: () => closing.run() };
  } catch (error) {
    await closing.run();
    throw error;
  }
}

async function start(options: NodeOptions, closing: Closing): Promise<number> {
  const { dir, masterKey, host, issuer } = options;
  const clock = serviceClock();
  const log = serviceLog("node");
  const registry = await nodesRegistry(options);
  closing.add(() => registry.close());
  closing.add(enterEnds(dir, registry.platform.audit, { clock, log }));
  const platform = await openPlatformAuthority(registry.platform.vault, Date.now);
  const tls = await ensureServerFiles(dir, platform, options.names);
  const traced = closing.keep(await tracedNode(options.traces, { clock, log }));
  const { tracing } = traced;
  const tenant = recently(traced.homes(homesOf(registry, platform)), clock);
  const { blocked, stop } = watchBlockList(join(dir, BLOCK_LIST), clock, log);
  closing.add(stop);
  const broker = await brokerOf(options, { tls, tenant, blocked, log, clock });
  closing.add(() => broker.close());
  const signer = closing.keep(traced.signer(connectSigner({ socket: signerSocket(dir), clock })));
  const { connected } = broker;
  const downlink = traced.downlink(broker.downlink);
  const sees = connected === undefined ? {} : { connected };
  const parts = { tenant, signer, downlink, ...sees, clock, log };
  const services = servicesOf({ ...parts, ...wakeOf(options, clock, log) }, closing, traced);
  const { commands, levels } = services;
  const openers = closing.keep(openersFor(log));
  const quarantine = new Quarantine({ limits: INGEST_LIMITS, clock, log });
  const ingest = closing.keep(
    await createIngest({ tenant, downlink, clock, log, tracing, openers, quarantine }),
  );

  const hooks = webhooksOf(options, registry, { clock, log });
  closing.add(() => hooks.worker.close());
  const checkAudit = auditChecks(dir, masterKey);
  const embedded =
    issuer === undefined ? undefined : { issuer, keys: await nodesIssuerKeys(registry) };
  const requests = requestMetrics();
  const moreMetrics = (): string =>
    ingest.metrics() + hooks.worker.metrics() + levels.text() + traced.metrics();
  const metrics = (): string => requests.text() + moreMetrics();
  const app = await apiServer({
    requests,
    moreMetrics,
    tracing,
    webhookAddress: hooks.check,
    platform: registry.platform.desk,
    tls: { ...tls, clientCa: tls.ca },
    ...parts,
    ...services,
    tools: async (id) => {
      const home = await tenant(id);
      return home && tenantTools(home, clock, () => checkAudit(id));
    },
    verifyToken: verifierOf(options, embedded, callersOf(tenant, registry), tenant, clock),
  });
  closing.add(() => app.close());
  await registerBeside(app, options, { tenant, registry, serverCa: tls.ca, broker });
  const { answers } = broker;
  closing.add(await watchNode(app, options, { registry, answers, metrics, clock, log }));
  guardServer(app.server, { clock, log, blocked });
  // For the name `localhost` the framework would listen twice, and only once behind the door.
  await app.listen({ port: options.httpsPort, host: host === "localhost" ? "127.0.0.1" : host });

  const told = { ...parts, ...services, closing: closing.signal, keys: keysOf(tenant) };
  const announced = answerAnnouncements(told);
  const carMessage = carMessageHandler({ ...parts, commands, announced, putAside: quarantine.put });
  const quota = closing.keep(ingestQuotaOf(dir, registry, { clock, log }));
  await broker.source.start(traced.messages(router(ingest, carMessage, quota)));
  closing.add(() => broker.source.stop());
  await commands.pickUp(registry.list());
  closing.add(watchRevocations({ ...broker, tenants: registry, clock, log }));
  closing.add(watchRetention({ tenants: registry, clock, log }));
  closing.add(watchKeys({ ...registry, homes: tenant, downlink, clock, log }));
  log.info("node.up", { https: options.httpsPort, broker: broker.port });
  return broker.port;
}

function nodesRegistry({ dir, masterKey, regions }: NodeOptions): Promise<Registry> {
  return openRegistry({ dir, masterKey, regions, lockWaitMs: LOCK_WAIT_MS });
}

/** On one processor threads would only take turns with the one that stores. */
function openersFor(log: Log): Openers {
  const threads = Math.min(OPENER_THREADS_MAX, availableParallelism() - 1);
  return threads > 0 ? threadOpeners({ threads, log }) : openersHere;
}

type ServerFiles = Awaited<ReturnType<typeof ensureServerFiles>>;
function brokerOf(
  { outsideBroker, brokerPort: port, host }: NodeOptions,
  parts: Pick<Parameters<typeof openBroker>[1], "blocked" | "log" | "clock"> & {
    readonly tls: ServerFiles;
    readonly tenant: Homes;
  },
): Promise<NodeBroker> {
  const { tls, tenant, ...rest } = parts;
  return openBroker(outsideBroker, {
    ...{ port, host, ...rest },
    tls: { key: tls.key, cert: tls.cert, ca: [tls.ca] },
    identify: carGate(gateOf(tenant, rest.clock)),
  });
}

/** What the API shows and cars are told of, over the tenants' stores, the signer and the broker. */
function servicesOf(
  parts: Omit<CommandParts, "random" | "signer"> & { readonly signer: SignerClient },
  closing: Closing,
  traced: Pick<TracedNode, "ended">,
): {
  readonly grants: GrantService;
  readonly artefacts: ArtefactService;
  readonly commands: CommandService;
  readonly levels: CommandLevels;
  readonly bookings: BookingService;
} {
  const grants = new GrantService(parts);
  closing.add(() => grants.close());
  const artefacts = new ArtefactService(parts);
  closing.add(() => artefacts.close());
  const changed = (id: TenantId, booking: BookingRecord) => grants.bookingChanged(id, booking);
  const levels = new CommandLevels();
  const commands = new CommandService({
    ...parts,
    ended: (record) => {
      levels.ended(record);
      traced.ended(record);
    },
    random: systemRandom,
    bookingChanged: changed,
  });
  closing.add(() => commands.close());
  return {
    grants,
    artefacts,
    commands,
    levels,
    bookings: new BookingService({ ...parts, changed }),
  };
}

/** Tokens of either issuer, and keys that a tenant was given to its own data. */
function verifierOf(
  { trusted }: NodeOptions,
  embedded: EmbeddedIssuer | undefined,
  callers: Callers,
  tenant: Homes,
  clock: Clock,
): TokenVerifier {
  return tenantKeys(
    serviceVerifier(embedded, trusted, clock, callers),
    async (id, request) => (await tenant(id))?.store.access.request(request),
    clock,
  );
}

function callersOf(tenant: Homes, { hasClient }: Registry): Callers {
  return {
    account: async (id, person) => (await tenant(id))?.store.people.account(person),
    hasClient,
  };
}

function gateOf(tenant: Homes, clock: Clock): CarGateOptions {
  return {
    authority: async (id) => (await tenant(id))?.authority.certificate,
    vehicle: async (car) => (await tenant(car.tenant))?.store.vehicle(car.vehicle),
    confirm: async (car) => {
      const home = await tenant(car.tenant);
      return home !== undefined && certificateUsed(home.store, car);
    },
    nowMs: () => clock.wallMs(),
  };
}

/** The longest that a receiver may take. */
const WEBHOOK_ANSWER_MS_MAX = 15_000;

function webhooksOf(
  { webhooks: { networks, ca } = {} }: NodeOptions,
  { list, tenant }: Pick<Registry, "list" | "tenant">,
  parts: { readonly clock: Clock; readonly log: Log },
): { readonly worker: WebhookWorker; readonly check: (url: URL) => void } {
  const rule = addressRule(networks);
  const trusted = ca === undefined ? {} : { ca };
  const send = sender({ rule, answerMsMax: WEBHOOK_ANSWER_MS_MAX, ...trusted });
  const store = async (id: TenantId) => (await tenant(id))?.store;
  const worker = new WebhookWorker({ tenants: list, store, send, random: systemRandom, ...parts });
  return { worker, check: (url) => checkAddress(url, rule) };
}

function wakeOf(
  { wakeGateway: file }: NodeOptions,
  clock: Clock,
  log: Log,
): { readonly wake?: ReturnType<typeof wakeGateway> } {
  return file === undefined ? {} : { wake: wakeGateway({ file, clock, log }) };
}

/** Which part takes which channel. What is thrown leaves the message unacknowledged. */
function router(
  ingest: { readonly handle: (message: SourceMessage) => Promise<void> },
  carMessage: (message: SourceMessage) => Promise<void>,
  quota: IngestQuota,
): (message: SourceMessage) => Promise<void> {
  return async (message) => {
    if (message.topic.channel !== "up") return carMessage(message);
    quota.take(message);
    return ingest.handle(message);
  };
}

function ingestQuotaOf(
  dir: string,
  { terms, directory, platform }: Registry,
  parts: { readonly clock: Clock; readonly log: Log },
): IngestQuota {
  return new IngestQuota({
    usage: platform.usage,
    quotas: (tenant) => terms(tenant)?.quotas,
    directory: (tenant) => {
      const name = directory(tenant);
      return name === undefined ? undefined : join(dir, "tenants", name);
    },
    ...parts,
  });
}

/** What stands beside the API on its port. */
async function registerBeside(
  app: FastifyInstance,
  { dir, issuer, tiles, names }: NodeOptions,
  parts: Omit<Parameters<typeof registerCars>[1], "broker"> & { readonly broker: NodeBroker },
): Promise<void> {
  const { broker } = parts;
  if (issuer !== undefined) await registerIssuerProxy(app, issuerSocket(dir));
  registerConsole(app, tiles);
  const at = { host: broker.host ?? names[0], port: broker.port };
  registerCars(app, { ...parts, broker: at });
}

function registerCars(
  app: FastifyInstance,
  parts: {
    readonly tenant: Homes;
    readonly registry: Awaited<ReturnType<typeof openRegistry>>;
    readonly serverCa: string;
    /** An address to listen on is none that a car could use. */
    readonly broker: { readonly host: string; readonly port: number };
  },
): void {
  const { platform } = parts.registry;
  const clock = serviceClock();
  registerEnrolment(
    app,
    {
      tokens: platform,
      tenant: parts.tenant,
      serverCa: parts.serverCa,
      broker: parts.broker,
      nowMs: () => clock.wallMs(),
    },
    clock,
  );
  const { tenant, serverCa } = parts;
  registerRenewal(app, { tenant, serverCa, nowMs: () => clock.wallMs() }, clock);
}
