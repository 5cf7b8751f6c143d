/** `serve`, and each of its services alone. What a service is made of is loaded by the process that runs it. */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Tiles, tilesOrigin } from "@kerbside/console";
import { type Log, ProtocolError, REGION_DEFAULT, regionOf } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { dataDirectory, readSecret, settleStage } from "../config.ts";
import { serviceLog } from "../log.ts";
import {
  BROKER_PORT_DEFAULT,
  concretePort,
  HTTPS_PORT_DEFAULT,
  issuerName,
  serviceClock,
  signerSocket,
} from "../ports.ts";
import { type Service, ServiceFailed, type Supervised, supervise } from "../supervisor.ts";
import { type TrustedIssuer, trustedIssuer } from "../trust.ts";
import {
  type Command,
  DATA_OPTION,
  DEV_OPTION,
  type Input,
  JSON_OPTION,
  UsageError,
} from "./command.ts";
import { MAIL_OPTIONS, mailEnvironment, mailOf, mailWords } from "./mail-options.ts";
import { asked } from "./open.ts";
import { TELEMETRY_OPTIONS, telemetryOf, telemetryWords } from "./telemetry-options.ts";
import { WEBHOOK_OPTIONS, webhooksOf, webhookWords } from "./webhook-options.ts";

const PORT_MAX = 65_535;
const NAMES_MAX = 16;
const NO_ISSUER = "no-embedded-issuer";
/** RFC 1123 § 2.1; what a certificate and a car can name. */
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const ISSUER_OPTION = { value: "URL", doc: "name of the token issuer; default: by the HTTPS port" };
const TRUST_OPTIONS = {
  "trust-issuer": { value: "URL", doc: "believe tokens of this issuer too" },
  "trust-jwks": { value: "URL", doc: "where its public keys are (JWKS, HTTPS)" },
  "trust-ca": { value: "FILE", doc: "authority of that address, PEM; default: the system's" },
  [NO_ISSUER]: { doc: "no tokens of its own: only those of --trust-issuer are believed" },
};
const REGION_OPTION = {
  value: "REGION[,REGION]",
  default: REGION_DEFAULT,
  doc: "serves the tenants whose home is there, and no others",
};
const common = { data: DATA_OPTION, json: JSON_OPTION, region: REGION_OPTION };
const PORT_OPTIONS = {
  "https-port": { value: "N", default: `${HTTPS_PORT_DEFAULT}`, doc: "API and console; 0: any" },
  "broker-port": { value: "N", default: `${BROKER_PORT_DEFAULT}`, doc: "cars (MQTT); 0: any" },
  host: { value: "ADDRESS", default: "127.0.0.1", doc: "address to listen on" },
  ...WEBHOOK_OPTIONS,
  "wake-gateway": { value: "FILE", doc: "who rings sleeping cars: JSON with url, token, ca" },
  tiles: { value: "URL", doc: "server of the console's street map: https://HOST/{z}/{x}/{y}.png" },
  "tiles-credit": { value: "TEXT", doc: "whose streets those are" },
  broker: {
    value: "FILE",
    doc: "an MQTT 5 broker in place of the embedded one: JSON with host, port, node, ca, cert, key",
  },
  ...TELEMETRY_OPTIONS,
  name: {
    value: "HOST[,HOST]",
    default: "localhost",
    doc: "names of this cloud in its certificate; cars are told the first",
  },
};

export const SERVE_COMMANDS: readonly Command[] = [
  {
    name: "serve",
    summary:
      "Runs broker, ingest, API and console, signer and token issuer, as processes of their own.",
    options: { ...common, ...PORT_OPTIONS, ...TRUST_OPTIONS, ...MAIL_OPTIONS, dev: DEV_OPTION },
    ...{ environment: true, run: serveAll },
  },
  {
    name: "serve node",
    summary: "Runs broker, ingest, API and console in this process.",
    options: { ...common, ...PORT_OPTIONS, ...TRUST_OPTIONS, issuer: ISSUER_OPTION },
    ...{ environment: true, run: serveNode },
  },
  {
    name: "serve signer",
    summary: "Runs the signer in this process.",
    options: {
      ...common,
      ...TRUST_OPTIONS,
      "https-port": PORT_OPTIONS["https-port"],
      issuer: ISSUER_OPTION,
    },
    ...{ environment: true, run: serveSigner },
  },
  {
    name: "serve issuer",
    summary: "Runs the token issuer in this process; the node is its proxy.",
    options: {
      ...common,
      "https-port": PORT_OPTIONS["https-port"],
      issuer: ISSUER_OPTION,
      ...MAIL_OPTIONS,
    },
    ...{ environment: true, run: serveIssuer },
  },
];

/** Says that it is up: to the terminal, and to the supervisor where one started it. */
function announce(input: Input, ready: Readonly<Record<string, unknown>>, words: string): void {
  input.print({ ready: true, ...ready }, words);
  process.send?.(ready);
}

function stopped({ stop }: Input): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener("abort", () => resolve(), { once: true }));
}

async function serveAll(input: Input): Promise<number> {
  const dir = dataDirectory(input.text("data"));
  const host = input.text("host");
  const ports: Ports = {
    https: await concretePort(input.integer("https-port", 0, PORT_MAX), host),
    broker: await concretePort(input.integer("broker-port", 0, PORT_MAX), host),
  };
  const [name] = namesOf(input);
  const issuer = issuerName(ports.https, name);
  const secrets = await prepare(input, dir, issuer);
  const log = serviceLog("supervisor");
  const services: Supervised[] = [];
  try {
    for (const service of servicesOf(input, { dir, issuer, ports }, secrets))
      services.push(supervise(service, input.env, dir, log));
    const up = Promise.all(services.map(({ ready }) => ready));
    await Promise.race([up, stopped(input)]);
    if (!input.stop.aborted) {
      // The node knows where cars connect to, which may be a broker elsewhere.
      const { broker = ports.broker } = Object.assign({}, ...(await up));
      announce(
        input,
        { ...ports, broker },
        `up: API and console at https://${name}:${ports.https}, broker on port ${broker}`,
      );
    }
    await ordersUntil(input, dir, secrets, log);
    return 0;
  } catch (error) {
    // The service has said why on standard error.
    if (error instanceof ServiceFailed) return 1;
    throw error;
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
}

const ORDERS_EVERY_MS = 2000;

/** Makes tenants that are ordered meanwhile: this process alone has the keys of all services. */
async function ordersUntil(
  input: Input,
  dir: string,
  { master, signer, issuer }: Secrets,
  log: Log,
): Promise<void> {
  if (issuer === undefined) return stopped(input);
  const { fulfilOrders } = await import("../tenant-orders.ts");
  const registry = await openRegistry({ dir, masterKey: master });
  try {
    const end = stopped(input);
    while (!input.stop.aborted) {
      await fulfilOrders(registry, dir, { signerKey: signer, issuerKey: issuer }, log);
      await Promise.race([end, delay(ORDERS_EVERY_MS)]);
    }
  } finally {
    await registry.close();
  }
}

type Ports = { readonly https: number; readonly broker: number };
type Secrets = {
  readonly master: Uint8Array;
  readonly signer: Uint8Array;
  /** Undefined where there is no embedded issuer. */
  readonly issuer: Uint8Array | undefined;
};

/** Each service with its own secret, and nobody else's. */
function servicesOf(
  input: Input,
  at: { readonly dir: string; readonly issuer: string; readonly ports: Ports },
  secrets: Secrets,
): readonly Service[] {
  const key = (secret: Uint8Array): string => Buffer.from(secret).toString("base64url");
  const shared = ["--data", at.dir, "--issuer", at.issuer, "--region", input.text("region")];
  const words = [...shared, ...trustWords(input)];
  const ports = ["--https-port", `${at.ports.https}`, "--broker-port", `${at.ports.broker}`];
  const gateway = input.optional("wake-gateway");
  const outside = input.optional("broker");
  const door = [
    ...[...ports, "--host", input.text("host"), "--name", input.text("name")],
    // The services run in the data directory.
    ...(gateway === undefined ? [] : ["--wake-gateway", resolve(gateway)]),
    ...tilesWords(input),
    ...(outside === undefined ? [] : ["--broker", resolve(outside)]),
    ...telemetryWords(input),
    ...webhookWords(input),
  ];
  const signer: Service = {
    name: "signer",
    args: ["serve", "signer", ...words],
    env: { KERBSIDE_SIGNER_KEY: key(secrets.signer) },
  };
  const node: Service = {
    name: "node",
    args: ["serve", "node", ...words, ...door],
    env: { KERBSIDE_MASTER_KEY: key(secrets.master) },
  };
  if (secrets.issuer === undefined) return [signer, node];
  const issuer: Service = {
    name: "issuer",
    args: ["serve", "issuer", ...shared, ...mailWords(input)],
    env: { KERBSIDE_ISSUER_KEY: key(secrets.issuer), ...mailEnvironment(input.env) },
  };
  return [signer, issuer, node];
}

/** Throws UsageError. */
function tilesOf(input: Input): { readonly tiles?: Tiles } {
  const [url, credit] = [input.optional("tiles"), input.optional("tiles-credit")];
  if (url === undefined) {
    if (credit !== undefined) throw new UsageError("--tiles-credit: expected --tiles with it");
    return {};
  }
  const tiles: Tiles = credit === undefined ? { url } : { url, credit };
  try {
    tilesOrigin(tiles);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--${error.message}`);
    throw error;
  }
  return { tiles };
}

/** The same words for the node; judged here first, so that a mistake is told once. */
function tilesWords(input: Input): readonly string[] {
  const { tiles } = tilesOf(input);
  if (tiles === undefined) return [];
  const { url, credit } = tiles;
  return ["--tiles", url, ...(credit === undefined ? [] : ["--tiles-credit", credit])];
}

type Trust = { readonly trusted?: TrustedIssuer; readonly issuer?: string };

/** Whose tokens are believed; `embedded` is the name of the embedded issuer where nothing else is said. */
function trustOf(input: Input, embedded: string): Trust {
  const [issuer, jwks, ca] = (["trust-issuer", "trust-jwks", "trust-ca"] as const).map((name) =>
    input.optional(name),
  );
  const trusted = trustedIssuer(issuer, jwks, ca);
  if (!input.flag(NO_ISSUER)) {
    const own = { issuer: input.optional("issuer") ?? embedded };
    return trusted === undefined ? own : { ...own, trusted };
  }
  if (trusted === undefined) {
    throw new UsageError(`--${NO_ISSUER}: expected --trust-issuer with it, or nobody gets in`);
  }
  return { trusted };
}

/** The same words for the services; judged here first, so that a mistake is told once. */
function trustWords(input: Input): readonly string[] {
  trustOf(input, "");
  return Object.entries(TRUST_OPTIONS).flatMap(([name, option]) => {
    if (!("value" in option)) return input.flag(name) ? [`--${name}`] : [];
    const said = input.optional(name);
    return said === undefined ? [] : [`--${name}`, said];
  });
}

/** Throws UsageError. */
function namesOf(input: Input): readonly [string, ...string[]] {
  const [first, ...others] = input.text("name").split(",");
  const names = [first ?? "", ...others] as const;
  const wrong = names.find((name) => isIP(name) === 0 && !HOST_NAME.test(name));
  if (wrong !== undefined || names.length > NAMES_MAX)
    throw new UsageError(`--name: expected 1 to ${NAMES_MAX} host names or addresses, with commas`);
  return names;
}

/** Makes what the services need before any of them starts, where all secrets are still at hand. */
async function prepare(input: Input, dir: string, issuer: string): Promise<Secrets> {
  trustWords(input);
  regionsOf(input);
  const from = { dir, dev: input.flag("dev"), env: input.env };
  const master = readSecret("master-key", from);
  const signer = readSecret("signer-key", from);
  const issuerKey = input.flag(NO_ISSUER) ? undefined : readSecret("issuer-key", from);
  const { prepareIssuer } = await import("../issuer-keys.ts");
  const { refuseSecond } = await import("@kerbside/commands");
  await refuseSecond(signerSocket(dir), "signer");
  settleStage(dir, input.env, from.dev);
  const registry = await openRegistry({ dir, masterKey: master, create: from.dev });
  try {
    if (issuerKey !== undefined) {
      const parts = { clock: serviceClock(), log: serviceLog("supervisor") };
      await prepareIssuer(registry, signer, { dir, issuerKey, issuer, ...parts });
    }
  } finally {
    await registry.close();
  }
  return { master, signer, issuer: issuerKey };
}

/** Throws UsageError. */
function regionsOf(input: Input): ReadonlySet<string> {
  return new Set(
    input
      .text("region")
      .split(",")
      .map((name) => asked(() => regionOf(name))),
  );
}

async function serveNode(input: Input): Promise<number> {
  const dir = dataDirectory(input.text("data"));
  settleStage(dir, input.env, false);
  const names = namesOf(input);
  const masterKey = readSecret("master-key", { dir, dev: false, env: input.env });
  const host = input.text("host");
  const httpsPort = await concretePort(input.integer("https-port", 0, PORT_MAX), host);
  const gateway = input.optional("wake-gateway");
  const outside = input.optional("broker");
  const { startNode } = await import("../node.ts");
  const node = await startNode({
    dir,
    masterKey,
    host,
    names,
    httpsPort,
    brokerPort: input.integer("broker-port", 0, PORT_MAX),
    ...(gateway === undefined ? {} : { wakeGateway: resolve(gateway) }),
    ...tilesOf(input),
    ...(outside === undefined ? {} : { outsideBroker: resolve(outside) }),
    ...telemetryOf(input),
    webhooks: webhooksOf(input),
    regions: regionsOf(input),
    ...trustOf(input, issuerName(httpsPort, names[0])),
  });
  const ready = { https: httpsPort, broker: node.brokerPort };
  announce(input, ready, `node is up: HTTPS ${ready.https}, broker ${ready.broker}`);
  await stopped(input);
  await node.close();
  return 0;
}

/** The issuer's name for a service that is started alone. Throws ProtocolError `malformed`. */
function issuerOf(input: Input): string {
  const issuer = input.optional("issuer");
  const port = input.integer("https-port", 0, PORT_MAX);
  if (issuer === undefined && port === 0)
    throw new ProtocolError("malformed", "--issuer: expected with --https-port 0");
  return issuer ?? issuerName(port, "localhost");
}

async function serveSigner(input: Input): Promise<number> {
  const dir = dataDirectory(input.text("data"));
  settleStage(dir, input.env, false);
  const signerKey = readSecret("signer-key", { dir, dev: false, env: input.env });
  const trust = trustOf(input, issuerOf(input));
  const { startSigner } = await import("../signer-process.ts");
  const signer = await startSigner({ dir, signerKey, regions: regionsOf(input), ...trust });
  announce(input, {}, "signer is up");
  await stopped(input);
  await signer.close();
  return 0;
}

async function serveIssuer(input: Input): Promise<number> {
  const dir = dataDirectory(input.text("data"));
  settleStage(dir, input.env, false);
  const issuerKey = readSecret("issuer-key", { dir, dev: false, env: input.env });
  const { startIssuer } = await import("../issuer-process.ts");
  const issuer = await startIssuer({
    dir,
    issuerKey,
    issuer: issuerOf(input),
    regions: regionsOf(input),
    ...mailOf(input),
  });
  announce(input, {}, "token issuer is up");
  await stopped(input);
  await issuer.close();
  return 0;
}
