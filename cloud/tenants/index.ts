/**
 * Where tenants' data lives: the SQLite engine of the tenant store with its subject keys, audit trail and feed; the
 * vaults as sealed files; the registry of tenants with the platform's own tables; and the cache of a process.
 */

export type { Alarm } from "./alarms.ts";
export { type AnchorCopies, type HeadCopy, readHeads } from "./anchor-copies.ts";
export type { AuditChain, AuditReport, ChainRow } from "./audit-chain.ts";
export { verifyChain } from "./audit-chain.ts";
export type { Availability, PartChange, PartDay } from "./availability.ts";
export {
  BACKUP_SETS,
  type BackupMade,
  type BackupOptions,
  type BackupSet,
  listBackups,
  makeBackup,
} from "./backup.ts";
export { createCache } from "./cache.ts";
export {
  type Client,
  type ClientSeal,
  clientSeal,
  type IssuerClientTable,
  openIssuerClients,
} from "./clients.ts";
export {
  type Due,
  ERASURE_TERMS,
  type ErasureCertificate,
  type ErasureTerm,
  INACTIVITY_DAYS_DEFAULT,
  KEY_BACKUP_DAYS_DEFAULT,
  statementBytes,
} from "./erasure.ts";
export { makeDirectory, readIfThere, replaceFile, syncDirectory } from "./files.ts";
export {
  BREACH_STEPS,
  breachSteps,
  INCIDENT_STATES,
  type Incident,
  type Incidents,
  UPDATE_MS,
  updateDueMs,
} from "./incidents.ts";
export { PAYMENTS_SECRET } from "./payment-provider.ts";
export type { EnrolmentGrant, Platform } from "./platform.ts";
export type { Quarantined } from "./quarantine.ts";
export { openRateFile, RATE_CLASSES, type RateFile } from "./rate-file.ts";
export {
  type NewTenant,
  openRegistry,
  type Registry,
} from "./registry.ts";
export { keepReplica, openReplica, type Replica, type ReplicaRound } from "./replica.ts";
export { encodeFrame, FrameReader } from "./replica-frames.ts";
export {
  type FollowOptions,
  followReplica,
  type LinkCertificates,
  replicaWriter,
  type ServedReplica,
  type ServeOptions,
  serveReplica,
} from "./replica-link.ts";
export { type Restored, type RestoreOptions, restoreBackup } from "./restore.ts";
export { checkStage, isStage, markStage, STAGES, type Stage, stageOf } from "./stage.ts";
export {
  openTenantStore,
  type SqliteTenantStore,
} from "./store.ts";
export {
  openIssuerTenants,
  openSignerTenants,
  type SignersTenant,
  type Tenant,
  type Tenants,
} from "./tenants.ts";
export type { IngestUsage, Order, Orders } from "./terms.ts";
export type { TenantUsage } from "./usage.ts";
export { openVault } from "./vault.ts";
