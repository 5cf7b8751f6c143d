/** The cloud's side on a disk of its own: the real tenant store and the real ingest, from one start to the next. */
import { createIngest, type Ingest } from "@kerbside/ingest";
import {
  type Address,
  type AuditEntry,
  type Downlink,
  ProtocolError,
  quotasOf,
  type SigningKey,
  type SourceMessage,
  type sealKeyPair,
  type VehicleId,
} from "@kerbside/protocol";
import { openTenantStore } from "@kerbside/tenants";
import { silentLog } from "../../support/runtime.ts";
import { reap } from "../disk/better-sqlite3.ts";
import { Disk, type DiskImage } from "../disk/disk.ts";
import { mount } from "../disk/mounts.ts";
import { settle, type Timeline } from "./timeline.ts";

export type Store = ReturnType<typeof openTenantStore>;
export type IngestPair = ReturnType<typeof sealKeyPair>;
type Running = { alive: boolean; readonly store: Store; readonly ingest: Ingest };

const AUDIT: AuditEntry = { actor: "test", action: "test", subject: "test", outcome: "done" };
const WALL_MS: number = Date.UTC(2026, 0, 1);

export type CloudKeys = {
  readonly transit: ReadonlyMap<number, Uint8Array>;
  readonly audit: SigningKey;
  /** Ingest keys by version. */
  readonly ingest: ReadonlyMap<number, IngestPair>;
};

function open(
  directory: string,
  tenant: Address["tenant"],
  keys: CloudKeys,
  create: boolean,
): Store {
  return openTenantStore({
    quotas: () => quotasOf({}),
    tenant,
    directory,
    create,
    transit: keys.transit,
    auditKeys: () => keys.audit,
    anchor: { keep: () => undefined, kept: () => [] },
    nowMs: () => WALL_MS,
  });
}

/** A file behind the package's door: only there is what earlier releases made of a store. */
const inside = (file: string): string =>
  new URL(file, import.meta.resolve("@kerbside/tenants")).href;
const { openDatabase }: typeof import("../../../cloud/tenants/database.ts") = await import(
  inside("database.ts")
);
const schema: typeof import("../../../cloud/tenants/tenant-schema.ts") = await import(
  inside("tenant-schema.ts")
);

/** The same as an earlier release left it, whose schema had so many of the steps of today. */
export function oldTenantImage(
  tenant: Address["tenant"],
  car: { readonly vehicle: VehicleId; readonly signingKey: SigningKey },
  steps: number,
): DiskImage {
  const disk = new Disk();
  const directory = mount("template", disk);
  const shared = { create: true, nowMs: () => WALL_MS };
  const { SUBJECT_MIGRATIONS, TENANT_MIGRATIONS } = schema;
  const migrations = TENANT_MIGRATIONS.slice(0, 1 + (steps % (TENANT_MIGRATIONS.length - 1)));
  const store = openDatabase({ ...shared, file: `${directory}/store.sqlite`, migrations });
  store.write((sql) => {
    sql.run("INSERT INTO meta (tenant) VALUES (?)", tenant);
    sql.run(
      "INSERT INTO vehicles (vehicle, profile, signing_key, certificate_serial, enrolled_at_ms) VALUES (?, 'test', ?, '00', 1)",
      ...[car.vehicle, car.signingKey.publicKey],
    );
  });
  store.close();
  const file = `${directory}/subjects.sqlite`;
  openDatabase({ ...shared, file, migrations: SUBJECT_MIGRATIONS, secureDelete: true }).close();
  return disk.image();
}

/** The disk of a tenant that has just been made, with these cars. */
export async function tenantImage(
  tenant: Address["tenant"],
  keys: CloudKeys,
  cars: readonly { readonly vehicle: VehicleId; readonly signingKey: SigningKey }[],
): Promise<DiskImage> {
  const disk = new Disk();
  const store = open(mount("template", disk), tenant, keys, true);
  for (const { vehicle, signingKey } of cars) {
    const record = { vehicle, profile: "test", certificateSerial: "00", enrolledAtMs: 1 };
    await store.putVehicle({ ...record, signingKey: signingKey.publicKey }, AUDIT);
  }
  await store.close();
  return disk.image();
}

export class Cloud {
  readonly disk: Disk = new Disk();
  readonly #tenant: Address["tenant"];
  readonly #directory: string;
  readonly #keys: CloudKeys;
  readonly #timeline: Timeline;
  readonly #downlink: Downlink;
  #running: Running | undefined;

  constructor(
    tenant: Address["tenant"],
    keys: CloudKeys,
    image: DiskImage,
    timeline: Timeline,
    downlink: Downlink,
  ) {
    this.#tenant = tenant;
    this.#keys = keys;
    this.#timeline = timeline;
    this.#downlink = downlink;
    this.#directory = mount("tenant", this.disk);
    this.disk.load(image);
    this.disk.died = () => {
      if (this.#running !== undefined) this.#running.alive = false;
    };
  }

  get up(): boolean {
    return this.#running?.alive === true;
  }

  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    let store: Store;
    try {
      store = open(this.#directory, this.#tenant, this.#keys, false);
    } catch (error) {
      // It does not come up on a disk that fails, or dies as it opens; whoever started it tries again.
      if (error instanceof ProtocolError && error.code === "storage_failed") return;
      if (this.disk.dead) return;
      throw error;
    }
    const { ingest: pairs } = this.#keys;
    const running: { alive: boolean } = { alive: !this.disk.dead };
    const own = { store, ingestKey: async (version: number) => pairs.get(version) };
    const timeline = this.#timeline;
    const ingest = await createIngest({
      tenant: async (tenant) => (tenant === this.#tenant ? own : undefined),
      downlink: {
        send: (to, channel, payload) =>
          running.alive
            ? this.#downlink.send(to, channel, payload)
            : Promise.reject(new ProtocolError("vehicle_offline", "down")),
      },
      clock: {
        bootMs: () => timeline.nowMs,
        wallMs: () => WALL_MS + timeline.nowMs,
        after: (ms, run) => timeline.after(ms, run),
      },
      log: silentLog,
    });
    this.#running = Object.assign(running, { store, ingest });
  }

  /** True where the message was taken over for good by a cloud that is still up. */
  async take(message: SourceMessage): Promise<boolean> {
    const running = this.#running;
    if (running?.alive !== true) return false;
    try {
      await running.ingest.handle(message);
      return running.alive;
    } catch (error) {
      if (error instanceof ProtocolError || !running.alive) return false;
      throw error;
    }
  }

  async goDown(how: "kill" | "power", chance: () => number, keep: number): Promise<void> {
    const running = this.#running;
    if (running !== undefined) running.alive = false;
    this.#running = undefined;
    this.disk.dead = true;
    await settle(4);
    this.disk.restart(how, chance, keep);
    reap();
  }

  /** For looking into when everything is over. */
  get store(): Store {
    if (this.#running === undefined) throw new Error("the cloud is down");
    return this.#running.store;
  }

  async close(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.ingest.close();
    await running?.store.close();
  }
}
