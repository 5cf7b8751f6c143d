/**
 * The platform's own audit trail (P-50, P-51). Its first key follows from the master key, so that a verifier needs
 * nothing else; those after it are random, lie in the platform's vault, and are announced by the trail as a tenant's are.
 */
import { type AuditEntry, deriveKey, ProtocolError, type SigningKey } from "@kerbside/protocol";
import type { HeadCopy } from "./anchor-copies.ts";
import { anchorOf, PLATFORM, type PlatformAudited } from "./anchors.ts";
import {
  type AuditChain,
  type AuditReport,
  appendAudit,
  auditChain,
  type HeadToSign,
  headBytes,
  verifyAudit,
} from "./audit-chain.ts";
import {
  AUDIT_KEY_ACTION,
  announcement,
  auditKeys,
  enterKey,
  keyVersionOf,
  newestKey,
} from "./audit-keys.ts";
import type { Sql } from "./database.ts";
import type { PlatformFiles } from "./platform-files.ts";
import { addVersion } from "./transit.ts";
import type { FileVault } from "./vault.ts";

const FIRST_KEY = "kerbside/v1/platform-audit";

export type PlatformTrail = {
  /** Writes a change of the platform's store with its record in one transaction, and anchors the record. */
  readonly audited: PlatformAudited;
  /** The key that is in force at each use, for certificates. */
  readonly key: SigningKey;
  readonly chain: AuditChain;
  /** Also against heads that were kept elsewhere. */
  readonly verify: (elsewhere?: readonly HeadCopy[]) => AuditReport;
  /**
   * From the next entry on a new key signs the heads, in all processes. Returns its version. Rejects with
   * `limit_reached`, `conflict` while another process does the same, `forbidden` where the vault is open for reading.
   */
  readonly rotate: (audit: AuditEntry) => Promise<number>;
};

export function platformTrail(
  at: Pick<PlatformFiles, "platform" | "anchors"> & {
    readonly nowMs: () => number;
    readonly key: Uint8Array;
  },
  vault: FileVault,
): PlatformTrail {
  const { platform, anchors, nowMs } = at;
  const anchor = anchorOf(anchors, PLATFORM);
  const keys = auditKeys(PLATFORM, (version) =>
    version === 1 ? deriveKey(at.key, FIRST_KEY) : vault.now(`audit/${version}`),
  );
  const append = (sql: Sql, entry: AuditEntry): HeadToSign => {
    const head = appendAudit(sql, PLATFORM, nowMs(), entry);
    return { ...head, keyVersion: keyVersionOf(sql, head.seq) };
  };
  const keep = ({ keyVersion, ...head }: HeadToSign): void =>
    anchor.keep(head, keys(keyVersion).sign(headBytes(PLATFORM, head)));
  const audited: PlatformAudited = (entry, change) => {
    if (entry.action === AUDIT_KEY_ACTION)
      throw new ProtocolError("malformed", `audit: ${AUDIT_KEY_ACTION} is for keys only`);
    const { value, head } = platform.write((sql) => ({
      value: change(sql),
      head: append(sql, entry),
    }));
    keep(head);
    return value;
  };
  return {
    audited,
    key: newestKey({ get: platform.one }, keys),
    chain: auditChain(platform, PLATFORM, anchor, () => keys(1).publicKey),
    verify: (elsewhere = []) => {
      const kept = [...anchor.kept(), ...elsewhere];
      return platform.read((sql) => verifyAudit(sql, PLATFORM, kept, keys(1).publicKey));
    },
    rotate: async (audit) => {
      audited({ ...audit, outcome: "asked" }, () => undefined);
      const version = await addVersion("audit", [vault]);
      keep(
        platform.write((sql) => {
          const head = append(sql, announcement(audit, version, keys(version)));
          enterKey(sql, version, head);
          return head;
        }),
      );
      // By the new key, which is so seen to work before anybody relies on it.
      audited(audit, () => undefined);
      return version;
    },
  };
}
