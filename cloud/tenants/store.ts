/**
 * The SQLite engine of a tenant's store: a directory with the store, the file of its subjects' keys, and nothing else
 * of anybody else's (P-10). Any number of processes may have it open; each write is one durable transaction.
 */

import { join } from "node:path";
import {
  type AuditEntry,
  type CommandRecord,
  type FeedEntry,
  ProtocolError,
  type Quotas,
  type SigningKey,
  type TenantId,
  type TenantStore,
  type VehicleId,
} from "@kerbside/protocol";
import { accessStore } from "./access.ts";
import { type Alarm, readAlarms } from "./alarms.ts";
import type { HeadCopy } from "./anchor-copies.ts";
import { putArtefact, readArtefact, readArtefacts } from "./artefacts.ts";
import {
  type Anchor,
  type AuditChain,
  type AuditHead,
  type AuditReport,
  appendAudit,
  auditChain,
  type HeadToSign,
  headBytes,
  readAudit,
  verifyAudit,
} from "./audit-chain.ts";
import {
  AUDIT_KEY_ACTION,
  type AuditKeys,
  announcement,
  enterKey,
  keyVersionOf,
  newestKey,
} from "./audit-keys.ts";
import { holderWish, indexHolders, putBooking, readBooking, readBookings } from "./bookings.ts";
import {
  commandsWithin,
  createCommand,
  readCommand,
  readCommands,
  stepCommand,
} from "./commands.ts";
import { commitGroup } from "./commit-group.ts";
import { type Database, openDatabase, type Sql } from "./database.ts";
import { derive } from "./derived.ts";
import type { Engine } from "./engine.ts";
import { queryEvents } from "./events.ts";
import { finderFile } from "./finders.ts";
import { putGrant, putGrantList, readGrant, readGrantList, readGrants } from "./grants.ts";
import { type Inspection, inspection } from "./inspect.ts";
import { LateAnchor } from "./late-anchor.ts";
import { latestOf } from "./latest.ts";
import { moveTrackRows } from "./move-track-rows.ts";
import { fileStore } from "./owned-files.ts";
import { paymentDesk } from "./payments.ts";
import { type Audited, type AuditedBy, type PeopleTools, peopleStore } from "./people-store.ts";
import { privacyStore } from "./privacy.ts";
import { putQuarantine, type Quarantined, readQuarantined } from "./quarantine.ts";
import { retentionStore } from "./retention.ts";
import { commitSegments, marks, putOpening, readOpening } from "./segments.ts";
import { subjectKeyFile, type TransitKeys } from "./subject-keys.ts";
import { SUBJECT_MIGRATIONS, TENANT_MIGRATIONS } from "./tenant-schema.ts";
import { queryTrips } from "./trips.ts";
import { readUsage, type TenantUsage } from "./usage.ts";
import {
  nextCounter,
  putCertificate,
  putSession,
  putVehicle,
  readVehicle,
  readVehicles,
  sessionGone,
  sessionReader,
} from "./vehicles.ts";
import { webhookStore } from "./webhooks.ts";

/** The most rows that one call reads of feed, audit, commands, quarantine or alarms. */
export const ROWS_MAX = 1000;

export type TenantStoreOptions = {
  readonly tenant: TenantId;
  readonly directory: string;
  /** True only while a tenant is made. */
  readonly create: boolean;
  readonly transit: TransitKeys;
  /** They sign the heads of the audit trail. */
  readonly auditKeys: AuditKeys;
  readonly anchor: Anchor;
  readonly nowMs: () => number;
  readonly quotas: () => Quotas;
  readonly payments?: Engine["payments"];
  readonly lockWaitMs?: number | undefined;
};

/** What an operator's tools need of this engine, beyond what the cloud's parts do. */
export type SqliteTenantStore = TenantStore &
  Inspection & {
    readonly people: PeopleTools;
    readonly quarantined: (after: number, limit: number) => readonly Quarantined[];
    /** Takes a message out of quarantine, for good. Says whether it was there. */
    readonly takeFromQuarantine: (id: number, audit: AuditEntry) => boolean;
    readonly alarms: (after: number, limit: number) => readonly Alarm[];
    /** Against the anchors, and against heads that were kept elsewhere. */
    readonly verifyAudit: (elsewhere?: readonly HeadCopy[]) => AuditReport;
    readonly auditChain: AuditChain;
    /** From the next entry on heads are signed by this version of the audit key, which is in the vaults already. */
    readonly rotateAuditKey: (version: number, audit: AuditEntry) => Promise<void>;
    readonly usage: () => TenantUsage;
    /** Wraps all subject keys by this version of the transit key. Returns how many were by another. */
    readonly rewrapKeys: (version: number, audit: AuditEntry) => Promise<number>;
  };

/** Throws ProtocolError `not_found` or `storage_failed`. */
export function openTenantStore(options: TenantStoreOptions): SqliteTenantStore {
  const { tenant, directory, create, nowMs, quotas, payments = () => undefined } = options;
  const { lockWaitMs } = options;
  const store = openDatabase({
    ...{ create, nowMs, lockWaitMs },
    file: join(directory, "store.sqlite"),
    migrations: TENANT_MIGRATIONS,
  });
  let subjects: Database | undefined;
  try {
    claim(store, tenant, create);
    subjects = openDatabase({
      ...{ create, nowMs, lockWaitMs },
      file: join(directory, "subjects.sqlite"),
      migrations: SUBJECT_MIGRATIONS,
      secureDelete: true,
    });
  } catch (error) {
    store.close();
    throw error;
  }
  const finders = finderFile(tenant, subjects, options.transit);
  const keys = subjectKeyFile(tenant, subjects, options.transit, finders, nowMs);
  const engine: Engine = { tenant, store, keys, finders, nowMs, quotas, payments };
  const files = { store, subjects };
  moveTrackRows(engine);
  derive(engine);
  indexHolders(engine);
  const late = new LateAnchor((head) => keepHead(options, head));
  const { close, ...rest } = tools(engine, files, options);
  const { settle, ...written } = writing(engine, options, late);
  return {
    ...reading(engine),
    ...written,
    ...rest,
    close: () => {
      settle();
      late.settle();
      return close();
    },
  };
}

/** A store names its tenant, so that a file put into another's place is found before anything of it is used. */
function claim(store: Database, tenant: TenantId, create: boolean): void {
  const found = (sql: Sql): string | undefined =>
    sql.get<{ tenant: string }>("SELECT tenant FROM meta")?.tenant;
  const owner = store.read(found);
  if (owner === undefined && create)
    store.write((sql) => sql.run("INSERT INTO meta (tenant) VALUES (?)", tenant));
  else if (owner !== tenant)
    throw new ProtocolError("storage_failed", `store of ${tenant}: belongs to another tenant`);
}

const rows = (limit: number): number => Math.min(Math.max(1, Math.floor(limit)), ROWS_MAX);

function reading(engine: Engine) {
  const { store } = engine;
  const readSession = sessionReader();
  return {
    tenant: engine.tenant,
    subjectKeys: engine.keys,
    vehicle: async (vehicle: VehicleId) => readVehicle({ get: store.one }, vehicle),
    vehicles: async () => store.read(readVehicles),
    opening: async (vehicle: VehicleId, log: Uint8Array) => readOpening(engine, vehicle, log),
    marks: async (vehicle: VehicleId, log: Uint8Array) => marks(engine, vehicle, log),
    events: async (query) => queryEvents(engine, query),
    latest: async (vehicle) => latestOf(engine, [vehicle]).get(vehicle) ?? [],
    latestOf: async (vehicles) => latestOf(engine, vehicles),
    trips: async (query) => queryTrips(engine, query),
    session: async (vehicle) => readSession({ get: store.one }, vehicle),
    booking: async (booking) => readBooking(engine, booking),
    bookings: async (vehicle) => readBookings(engine, vehicle),
    grant: async (grant) => readGrant(engine, grant),
    grants: async (vehicle) => readGrants(engine, vehicle),
    grantList: async (vehicle) => store.read((sql) => readGrantList(sql, vehicle)),
    artefact: async (kind, name) => store.read((sql) => readArtefact(sql, kind, name)),
    artefacts: async () => store.read(readArtefacts),
    command: async (id) => readCommand({ get: store.one }, id),
    commands: async (vehicle, limit) =>
      store.read((sql) => readCommands(sql, vehicle, rows(limit))),
    commandsWithin: async (query) => store.read((sql) => commandsWithin(sql, query)),
    feed: async (after, limit) =>
      store.read((sql) =>
        sql.all<FeedEntry>(
          "SELECT cursor, at_ms AS atMs, topic, id FROM feed WHERE cursor > ? ORDER BY cursor LIMIT ?",
          after,
          rows(limit),
        ),
      ),
    auditTrail: async (after, limit) => store.read((sql) => readAudit(sql, after, rows(limit))),
  } satisfies Partial<TenantStore>;
}

function writing(engine: Engine, options: TenantStoreOptions, late: LateAnchor) {
  const { store, nowMs } = engine;
  const append = (sql: Sql, entry: AuditEntry, last?: AuditHead): AuditHead => {
    if (entry.action === AUDIT_KEY_ACTION)
      throw new ProtocolError("malformed", `audit: ${AUDIT_KEY_ACTION} is for keys only`);
    return appendAudit(sql, options.tenant, nowMs(), entry, last);
  };
  const record = (sql: Sql, entry: AuditEntry): HeadToSign => toSign(sql, append(sql, entry));
  /** Holds the head outside the store before the action is answered (P-51). */
  const anchored = (head: HeadToSign): void => {
    keepHead(options, head);
    late.stoodFor(head);
  };
  const auditedBy: AuditedBy = (change, keep = anchored) => {
    const { value, head } = store.write((sql) => {
      const done = change(sql);
      return { value: done.value, head: done.entry && record(sql, done.entry) };
    });
    if (head !== undefined) keep(head);
    return value;
  };
  const audited: Audited = (entry, change) => auditedBy((sql) => ({ value: change(sql), entry }));
  const soon = (head: HeadToSign): void => late.anchor(head);
  const group = commitGroup(engine, { record: append, toSign, now: anchored, soon });
  const people = peopleStore(
    engine,
    audited,
    newestKey({ get: store.one }, options.auditKeys),
    (booking) => readBooking(engine, booking),
  );
  return {
    settle: group.settle,
    putVehicle: async (vehicle, audit) =>
      audited(audit, (sql) => putVehicle(sql, vehicle, nowMs(), engine.quotas)),
    putCertificate: async (vehicle, presented, next, audit) =>
      auditedBy((sql) => {
        const value = putCertificate(sql, vehicle, presented, next);
        return { value, entry: value ? audit : undefined };
      }),
    putOpening: async (opening) => putOpening(engine, opening),
    commitSegments: async (segments) => commitSegments(engine, segments),
    quarantine: async (entry) =>
      auditedBy(
        (sql) => putQuarantine(engine, sql, options.transit, entry),
        (head) => late.anchor(head),
      ),
    takeFromQuarantine: (id, audit) =>
      audited(audit, (sql) => sql.run("DELETE FROM quarantine WHERE id = ?", id) > 0),
    putSession: async (session) => store.write((sql) => putSession(sql, session, nowMs())),
    sessionGone: async (vehicle, epoch, asleep = false) =>
      store.write((sql) => sessionGone(sql, vehicle, epoch, asleep, nowMs())),
    putBooking: (booking, audit) =>
      group.put(holderWish(booking), audit, (sql, key) => putBooking(engine, sql, booking, key)),
    putGrant: (grant, audit) =>
      group.put({ subject: `booking:${grant.booking}` }, audit, (sql, key) =>
        putGrant(engine, sql, grant, key),
      ),
    putGrantList: async (list, audit) => audited(audit, (sql) => putGrantList(sql, list, nowMs())),
    putArtefact: async (artefact, audit) => audited(audit, (sql) => putArtefact(sql, artefact)),
    ...commandWriting(engine, { record, anchored, late }),
    audit: (entry, anchoring) => group.audit(entry, anchoring),
    rewrapKeys: async (version, audit) => {
      const count = engine.keys.rewrap(version);
      audited({ ...audit, reason: `${count} keys by transit key ${version}` }, () => undefined);
      return count;
    },
    access: accessStore(store, audited, nowMs),
    webhooks: webhookStore({
      ...{ tenant: options.tenant, store, transit: options.transit },
      ...{ nowMs, audited, auditedBy },
    }),
    files: fileStore(engine, audited, options.transit),
    privacy: privacyStore(engine, audited),
    retention: retentionStore(engine, audited),
    rotateAuditKey: async (version, audit) =>
      anchored(announceKey(engine, options.auditKeys(version), version, audit)),
    people,
    payments: paymentDesk(engine, people, group.audit),
  } satisfies Partial<SqliteTenantStore> & { readonly settle: () => void };
}

/** The entry that announces a key is signed by the one before it. */
function announceKey(
  { store, tenant, nowMs }: Engine,
  key: SigningKey,
  version: number,
  audit: AuditEntry,
): HeadToSign {
  return store.write((sql) => {
    const entry = announcement(audit, version, key);
    const head = toSign(sql, appendAudit(sql, tenant, nowMs(), entry));
    enterKey(sql, version, head);
    return head;
  });
}

function toSign(sql: Sql, head: AuditHead): HeadToSign {
  return { ...head, keyVersion: keyVersionOf(sql, head.seq) };
}

function keepHead(
  { tenant, auditKeys, anchor }: TenantStoreOptions,
  { seq, hash, keyVersion }: HeadToSign,
): void {
  const signature = auditKeys(keyVersion).sign(headBytes(tenant, { seq, hash }));
  anchor.keep({ seq, hash }, signature);
}

/** How what is written is entered, and its heads kept. */
type Trail = {
  readonly record: (sql: Sql, entry: AuditEntry) => HeadToSign;
  readonly anchored: (head: HeadToSign) => void;
  readonly late: LateAnchor;
};

function commandWriting({ store, nowMs }: Engine, { record, anchored, late }: Trail) {
  return {
    createCommand: async (command, audit) => {
      const done = store.write((sql) => {
        const { record: stored, created } = createCommand(sql, command, nowMs());
        return { stored, head: created ? record(sql, audit) : undefined };
      });
      // Not anchored here: the signer's record of it is, or its end, each with a head that stands for this entry too,
      // and the request is not answered before one of them.
      return done.stored;
    },
    stepCommand: async (id, steps) => {
      const done = store.write((sql) => {
        let stored: CommandRecord | undefined;
        let last: HeadToSign | undefined;
        for (const { change, atMs, audit } of steps) {
          const stepped = stepCommand(sql, id, change, atMs);
          stored = stepped.record;
          if (stepped.changed) last = record(sql, audit);
        }
        return { stored: stored ?? readCommand(sql, id), last };
      });
      if (done.stored === undefined)
        throw new ProtocolError("not_found", `command ${id}: is not there`);
      // Also of a step on the way: whoever does not wait for the end is answered with it (P-51).
      if (done.last !== undefined) anchored(done.last);
      return done.stored;
    },
    signCommand: async (id, audit, sign) => {
      const head = store.write((sql) => {
        const command = readCommand(sql, id);
        if (command === undefined)
          throw new ProtocolError("not_found", "command: there is none such");
        const by = sign(nextCounter(sql, command.vehicle, nowMs()));
        const signed = { state: "signed", ...by } as const;
        const { changed } = stepCommand(sql, id, signed, nowMs());
        if (!changed) throw new ProtocolError("conflict", `command: is ${command.state} already`);
        return record(sql, audit);
      });
      late.anchor(head);
    },
  } satisfies Partial<SqliteTenantStore>;
}

function tools(
  engine: Engine,
  files: { readonly store: Database; readonly subjects: Database },
  { transit, anchor, auditKeys }: TenantStoreOptions,
): Pick<
  SqliteTenantStore,
  "quarantined" | "alarms" | "usage" | "verifyAudit" | "auditChain" | keyof Inspection | "close"
> {
  const { store, tenant } = engine;
  return {
    quarantined: (after, limit) => readQuarantined(engine, transit, after, rows(limit)),
    alarms: (after, limit) => store.read((sql) => readAlarms(sql, after, rows(limit))),
    usage: () => store.read(readUsage),
    auditChain: auditChain(store, tenant, anchor, () => auditKeys(1).publicKey),
    verifyAudit: (elsewhere = []) => {
      // Anchors first: one that is kept after this was read can only speak of entries that are read below.
      const kept = [...anchor.kept(), ...elsewhere];
      return store.read((sql) => verifyAudit(sql, tenant, kept, auditKeys(1).publicKey));
    },
    ...inspection(files),
    close: async () => {
      files.store.close();
      files.subjects.close();
    },
  };
}
