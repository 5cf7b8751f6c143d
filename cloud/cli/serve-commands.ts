/** `serve`, and each of its services alone. What a service is made of is loaded by the process that runs it. */
import { ProtocolError } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { dataDirectory, readSecret } from "../config.ts";
import { serviceLog } from "../log.ts";
import {
  BROKER_PORT_DEFAULT,
  concretePort,
  HTTPS_PORT_DEFAULT,
  issuerName,
  serviceClock,
} from "../ports.ts";
import { ServiceFailed, type Supervised, supervise } from "../supervisor.ts";
import { type TrustedIssuer, trustedIssuer } from "../trust.ts";
import { type Command, DATA_OPTION, DEV_OPTION, type Input, JSON_OPTION } from "./command.ts";

const PORT_MAX = 65_535;
const ISSUER_OPTION = { value: "URL", doc: "name of the token issuer; default: by the HTTPS port" };
const TRUST_OPTIONS = {
  "trust-issuer": { value: "URL", doc: "believe tokens of this issuer too" },
  "trust-jwks": { value: "URL", doc: "where its public keys are (JWKS, HTTPS)" },
  "trust-ca": { value: "FILE", doc: "authority of that address, PEM; default: the system's" },
};
const common = { data: DATA_OPTION, json: JSON_OPTION };
const PORT_OPTIONS = {
  "https-port": { value: "N", default: `${HTTPS_PORT_DEFAULT}`, doc: "API and console; 0: any" },
  "broker-port": { value: "N", default: `${BROKER_PORT_DEFAULT}`, doc: "cars (MQTT); 0: any" },
  host: { value: "ADDRESS", default: "127.0.0.1", doc: "address to listen on" },
};

export const SERVE_COMMANDS: readonly Command[] = [
  {
    name: "serve",
    summary: "Runs broker, ingest, API, console and signer, as processes of their own.",
    options: { ...common, ...PORT_OPTIONS, ...TRUST_OPTIONS, dev: DEV_OPTION },
    run: serveAll,
  },
  {
    name: "serve node",
    summary: "Runs broker, ingest, API and console in this process.",
    options: { ...common, ...PORT_OPTIONS, ...TRUST_OPTIONS, issuer: ISSUER_OPTION },
    run: serveNode,
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
    run: serveSigner,
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
  const ports = {
    https: await concretePort(input.integer("https-port", 0, PORT_MAX), host),
    broker: await concretePort(input.integer("broker-port", 0, PORT_MAX), host),
  };
  const issuer = issuerName(ports.https);
  const secrets = await prepare(input, dir, issuer);
  const log = serviceLog("supervisor");
  const shared = ["--data", dir, "--issuer", issuer, ...trustWords(input)];
  const key = (secret: Uint8Array): string => Buffer.from(secret).toString("base64url");
  const services: Supervised[] = [];
  const start = (service: Parameters<typeof supervise>[0]): Supervised => {
    const started = supervise(service, input.env, dir, log);
    services.push(started);
    return started;
  };
  try {
    const signer = start({
      name: "signer",
      args: ["serve", "signer", ...shared],
      env: { KERBSIDE_SIGNER_KEY: key(secrets.signer) },
    });
    const node = start({
      name: "node",
      args: [
        ...["serve", "node", ...shared, "--host", host],
        ...["--https-port", `${ports.https}`, "--broker-port", `${ports.broker}`],
      ],
      env: { KERBSIDE_MASTER_KEY: key(secrets.master) },
    });
    await Promise.race([Promise.all([signer.ready, node.ready]), stopped(input)]);
    if (!input.stop.aborted)
      announce(
        input,
        ports,
        `up: API and console at https://localhost:${ports.https}, broker on port ${ports.broker}`,
      );
    await stopped(input);
    return 0;
  } catch (error) {
    // The service has said why on standard error.
    if (error instanceof ServiceFailed) return 1;
    throw error;
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
}

type Trust = { readonly trusted?: TrustedIssuer };

function trustOf(input: Input): Trust {
  const [issuer, jwks, ca] = (["trust-issuer", "trust-jwks", "trust-ca"] as const).map((name) =>
    input.optional(name),
  );
  const trusted = trustedIssuer(issuer, jwks, ca);
  return trusted === undefined ? {} : { trusted };
}

/** The same words for the services; judged here first, so that a mistake is told once. */
function trustWords(input: Input): readonly string[] {
  trustOf(input);
  return Object.keys(TRUST_OPTIONS).flatMap((name) => {
    const said = input.optional(name);
    return said === undefined ? [] : [`--${name}`, said];
  });
}

/** Makes what both services need before either starts, where both secrets are still at hand. */
async function prepare(
  input: Input,
  dir: string,
  issuer: string,
): Promise<{ readonly master: Uint8Array; readonly signer: Uint8Array }> {
  const dev = input.flag("dev");
  const master = readSecret("master-key", { dir, dev, env: input.env });
  const signer = readSecret("signer-key", { dir, dev, env: input.env });
  const { handIssuerKeys, openEmbeddedIssuer } = await import("../issuer-keys.ts");
  const registry = await openRegistry({ dir, masterKey: master, create: dev });
  try {
    const clock = serviceClock();
    const log = serviceLog("supervisor");
    const { jwks } = await openEmbeddedIssuer(registry, { issuer, clock, log });
    await handIssuerKeys(dir, signer, jwks);
  } finally {
    await registry.close();
  }
  return { master, signer };
}

async function serveNode(input: Input): Promise<number> {
  const dir = dataDirectory(input.text("data"));
  const masterKey = readSecret("master-key", { dir, dev: false, env: input.env });
  const host = input.text("host");
  const httpsPort = await concretePort(input.integer("https-port", 0, PORT_MAX), host);
  const { startNode } = await import("../node.ts");
  const node = await startNode({
    dir,
    masterKey,
    host,
    httpsPort,
    brokerPort: input.integer("broker-port", 0, PORT_MAX),
    issuer: input.optional("issuer") ?? issuerName(httpsPort),
    ...trustOf(input),
  });
  const ready = { https: httpsPort, broker: node.brokerPort };
  announce(input, ready, `node is up: HTTPS ${ready.https}, broker ${ready.broker}`);
  await stopped(input);
  await node.close();
  return 0;
}

async function serveSigner(input: Input): Promise<number> {
  const dir = dataDirectory(input.text("data"));
  const signerKey = readSecret("signer-key", { dir, dev: false, env: input.env });
  const issuer = input.optional("issuer");
  const port = input.integer("https-port", 0, PORT_MAX);
  if (issuer === undefined && port === 0)
    throw new ProtocolError("malformed", "--issuer: expected with --https-port 0");
  const { startSigner } = await import("../signer-process.ts");
  const signer = await startSigner({
    dir,
    signerKey,
    issuer: issuer ?? issuerName(port),
    ...trustOf(input),
  });
  announce(input, {}, "signer is up");
  await stopped(input);
  await signer.close();
  return 0;
}
