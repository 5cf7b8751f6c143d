/** A real mosquitto with mutual TLS and rules for each client, for what must work with a broker that is not ours. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { carRules, nodeRules } from "@kerbside/broker";
import { openPlatformAuthority } from "@kerbside/identity";
import { type Address, clientIdOf, tenantId, vehicleId } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { readSecret } from "../../cloud/config.ts";
import { concretePort } from "../../cloud/ports.ts";
import { ensureServerFiles } from "../../cloud/provisioning.ts";
import { type Paths, TENANT, VEHICLE } from "../../scripts/demo/parts.ts";
import { makePki } from "../cloud/identity/pki.ts";
import { until } from "./wait.ts";

const BINARY = "/usr/sbin/mosquitto";
const READY_MS_MAX = 10_000;
const HOST = "127.0.0.1";
const OWNER_ONLY = 0o600;

export type MosquittoOptions = {
  /** For its files; made where it is missing. */
  readonly dir: string;
  /** PEM: its own certificate, and who vouches for the cars. */
  readonly server: { readonly cert: string; readonly key: string; readonly ca: string };
  readonly cars: readonly Address[];
};

export class Mosquitto implements AsyncDisposable {
  readonly port: number;
  /** What `kerbside-cloud serve --broker` is given. */
  readonly file: string;
  readonly #config: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, file: string, config: string) {
    this.port = port;
    this.file = file;
    this.#config = config;
  }

  /** Listens when it resolves. */
  static async start({ dir, server, cars }: MosquittoOptions): Promise<Mosquitto> {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const at = (name: string): string => join(dir, name);
    const write = (name: string, content: string): void =>
      writeFileSync(at(name), content, { mode: OWNER_ONLY });
    // The cloud's own certificate is of an authority that the broker knows and that vouches for no car.
    const pki = await makePki();
    const node = await pki.car("kerbside", "node");
    const port = await concretePort(0, HOST);
    write("ca.pem", `${server.ca}\n${pki.platform.rootCertificate}`);
    write("server.pem", server.cert);
    write("server.key", server.key);
    write("acl", [...cars.map(rulesOf), nodeRules(clientIdOf(node))].join("\n"));
    write("node.pem", node.cert);
    write("node.key", node.key);
    write("server-ca.pem", server.ca);
    const lines = [
      "user root",
      `listener ${port} ${HOST}`,
      ...["cafile ca.pem", "certfile server.pem", "keyfile server.key"].map((line) =>
        line.replace(" ", ` ${dir}/`),
      ),
      "tls_version tlsv1.3",
      "require_certificate true",
      "use_identity_as_username true",
      `acl_file ${at("acl")}`,
      "set_tcp_nodelay true",
      "max_packet_size 270336",
      "log_dest stderr",
    ];
    write("mosquitto.conf", `${lines.join("\n")}\n`);
    const access = { host: "localhost", port, node: "node-1", ca: "server-ca.pem" };
    write("broker.json", JSON.stringify({ ...access, cert: "node.pem", key: "node.key" }));
    const broker = new Mosquitto(port, at("broker.json"), at("mosquitto.conf"));
    await broker.run();
    return broker;
  }

  /** Starts it, also again after a stop. */
  async run(): Promise<void> {
    const child = spawn(BINARY, ["-c", this.#config], { stdio: "ignore" });
    this.#child = child;
    await until("mosquitto listens", () => listens(this.port), READY_MS_MAX);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** For the demo's cloud and car, with the cloud's own certificate for servers, so that the car believes it. */
export async function mosquittoFor(paths: Paths, name = "mosquitto"): Promise<Mosquitto> {
  const dir = paths.cloud;
  const masterKey = readSecret("master-key", { dir, dev: true, env: {} });
  const registry = await openRegistry({ dir, masterKey });
  try {
    const platform = await openPlatformAuthority(registry.platform.vault, Date.now);
    const server = await ensureServerFiles(dir, platform, ["localhost"]);
    const cars = [{ tenant: tenantId(TENANT), vehicle: vehicleId(VEHICLE) }];
    return await Mosquitto.start({ dir: join(paths.data, name), server, cars });
  } finally {
    await registry.close();
  }
}

function rulesOf(car: Address): string {
  return carRules({ ...car, clientId: clientIdOf(car) });
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = connect(port, HOST);
    probe.once("connect", () => {
      probe.destroy();
      done(true);
    });
    probe.once("error", () => done(false));
  });
}
