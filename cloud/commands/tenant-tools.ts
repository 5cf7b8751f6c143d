/**
 * What staff's pages need of a tenant beyond the contract of its store: what was put aside, the check of the audit
 * trail, the erasures that are due. Whoever puts the cloud together has it of the engine.
 */
import type { AuditEntry } from "@kerbside/protocol";

/** A message that was put aside. What it holds is not told. */
export type PutAside = {
  readonly id: number;
  readonly atMs: number;
  /** The car that it names, which nothing has proven. */
  readonly vehicle?: string;
  readonly reason: string;
  readonly topic: string;
  readonly bytes: number;
};

/** `still`: it is refused again, for this reason. Only the first three leave quarantine. */
export type HandedIn =
  | { readonly value: "stored" | "duplicate" | "fork" | "waiting" | "dropped" }
  | { readonly value: "still"; readonly reason: string };

export type AuditCheck = {
  readonly entries: number;
  /** At the end of the trail, whose heads are not yet kept elsewhere. */
  readonly unanchored: number;
  /** Each in words; none where the whole trail holds. */
  readonly problems: readonly string[];
};

export type DueErasure = {
  readonly person: string;
  /** What is to be done next. */
  readonly stage: "suspend" | "erase" | "certify";
  /** By what the person did (P-81). */
  readonly term: string;
  readonly dueAtMs: number;
  /** A legal hold names the person. */
  readonly held: boolean;
};

export type Certificate = {
  readonly statement: string;
  readonly publicKey: string;
  readonly signature: string;
};

export type TenantTools = {
  /** After this id, in their order. */
  readonly putAside: (after: number, limit: number) => Promise<readonly PutAside[]>;
  /** Undefined where there is none such. What is taken leaves quarantine, and `audit` says so. */
  readonly handIn: (id: number, audit: AuditEntry) => Promise<HandedIn | undefined>;
  /** Reads the whole trail. */
  readonly checkAudit: () => Promise<AuditCheck>;
  /** Soonest first: what is due until then, and everybody who is suspended or not yet certified. */
  readonly erasures: (untilMs: number) => Promise<readonly DueErasure[]>;
  /** The same each time. Throws `conflict` before it may be certified. */
  readonly certify: (person: string, audit: AuditEntry) => Promise<Certificate>;
};
