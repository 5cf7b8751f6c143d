/** The side that is measured: broker, ingest and a tenant's store in one process, and cars in another that talk to it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Broker, startBroker } from "@kerbside/broker";
import { identifyCertificate } from "@kerbside/identity";
import {
  createIngest,
  type Ingest,
  type Openers,
  openersHere,
  threadOpeners,
} from "@kerbside/ingest";
import {
  type AuditEntry,
  randomBytes,
  sealKeyPair,
  signingKey,
  systemClock,
  type TenantId,
  tenantId,
} from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import Database from "better-sqlite3";
import { makePki } from "../../test/cloud/identity/pki.ts";
import type { CarsAnswer, CarsOrder, CarsSetup } from "./cars.ts";
import { CARS, type Load } from "./loads.ts";

const AUDIT: AuditEntry = { actor: "bench", action: "bench", subject: "bench", outcome: "done" };
const TENANT = tenantId("bench");
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** A round comes as fast as it can; what a car may send at length is not what is measured. */
const UNLIMITED = { messagesPerS: 1e6, messagesBurst: 1e6, bytesPerS: 1e9, bytesBurst: 1e9 };

/** As a node has on two processors. */
const OPENER_THREADS = 1;

export class BenchNode {
  readonly #dir: string;
  readonly #cars: ChildProcess;
  readonly #ingest: Ingest;
  readonly #ends: readonly (() => Promise<void>)[];
  /** Acknowledgements that the cars have heard. */
  acks = 0;

  private constructor(
    dir: string,
    ingest: Ingest,
    cars: ChildProcess,
    ends: readonly (() => Promise<void>)[],
  ) {
    this.#dir = dir;
    this.#ingest = ingest;
    this.#cars = cars;
    this.#ends = ends;
  }

  static async start(
    dir: string,
    load: Load,
    threads: number = OPENER_THREADS,
  ): Promise<BenchNode> {
    const registry = await openRegistry({ dir, masterKey: randomBytes(32), create: true });
    await registry.create(TENANT, randomBytes(32), AUDIT, async () => undefined);
    const store = (await registry.tenant(TENANT))?.store;
    if (store === undefined) throw new Error("the tenant was not made");
    const pki = await makePki();
    const authority = await pki.tenant(TENANT);
    const clock = systemClock(() => performance.now());
    const broker = await startBroker({
      ...{ port: 0, host: "127.0.0.1", clock, log: SILENT, limits: UNLIMITED },
      tls: { ...pki.server, ca: [pki.platform.rootCertificate] },
      identify: (certificate) =>
        identifyCertificate(certificate, async () => authority.certificate, Date.now()),
    });
    const pair = sealKeyPair();
    const home = { store, ingestKey: async () => pair };
    const openers = threads > 0 ? threadOpeners({ threads, log: SILENT }) : openersHere;
    const ingest = await createIngest({
      ...{ downlink: broker.downlink, clock, log: SILENT, openers },
      tenant: async (id: TenantId) => (id === TENANT ? home : undefined),
    });
    await broker.source.start((message) => ingest.handle(message));
    const cars: CarsSetup["cars"][number][] = [];
    for (let i = 0; i < CARS; i += 1) {
      const { key, cert, tenant, vehicle, serial } = await pki.car(TENANT, `car-${i}`);
      const seed = randomBytes(32);
      cars.push({
        ...{ key, cert, address: { tenant, vehicle } },
        signingSeed: Buffer.from(seed).toString("hex"),
      });
      const { publicKey } = signingKey(seed);
      const record = { vehicle, profile: "bench", certificateSerial: serial, enrolledAtMs: 1 };
      await store.putVehicle({ ...record, signingKey: publicKey }, AUDIT);
    }
    const child = fork(new URL("cars.ts", import.meta.url), { execArgv: [] });
    const node = new BenchNode(
      dir,
      ingest,
      child,
      endings(child, broker, ingest, openers, registry),
    );
    const ingestKey = Buffer.from(pair.publicKey).toString("hex");
    const ca = pki.platform.rootCertificate;
    await node.order({ setup: { port: broker.port, ca, load, ingestKey, cars } });
    await node.order("hello");
    return node;
  }

  /** Resolves when the cars have done it. */
  async order(order: CarsOrder): Promise<void> {
    this.#cars.send(order);
    const { acks } = await this.#answered();
    this.acks = acks;
  }

  #answered(): Promise<CarsAnswer> {
    const cars = this.#cars;
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error("the cars have ended"));
      cars.once("exit", gone);
      cars.once("message", (answer: CarsAnswer) => {
        cars.off("exit", gone);
        resolve(answer);
      });
    });
  }

  get stored(): number {
    return this.#ingest.counts().stored;
  }

  /** What the store's file has grown to, indexes and all. */
  bytes(): number {
    const [tenant = ""] = readdirSync(join(this.#dir, "tenants"));
    const db = new Database(join(this.#dir, "tenants", tenant, "store.sqlite"), { readonly: true });
    const found = pagesOf(db);
    db.close();
    return found;
  }

  async close(): Promise<void> {
    for (const end of this.#ends) await end();
  }
}

function endings(
  child: ChildProcess,
  broker: Broker,
  ingest: Ingest,
  openers: Openers,
  registry: { readonly close: () => Promise<void> },
): readonly (() => Promise<void>)[] {
  const ended = async (): Promise<void> => {
    const exit = once(child, "exit");
    child.disconnect();
    await exit;
  };
  return [ended, broker.close, ingest.close, openers.close, () => registry.close()];
}

export function pagesOf(db: Database.Database): number {
  return Number(db.pragma("page_count", { simple: true })) * 4096;
}
