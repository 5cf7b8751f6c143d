/** The platform's own tables (P-12): OAuth clients and enrolment tokens, neither with a secret in it. */
import { type Address, type AuditEntry, randomBytes, sha256, utf8 } from "@kerbside/protocol";
import { type Availability, availabilityTable } from "./availability.ts";
import { type ClientTools, clientTools } from "./clients.ts";
import type { Database, Sql } from "./database.ts";

/** Leave for one car to join. */
export type EnrolmentGrant = Address & { readonly profile: string; readonly lifeMs: number };

export type Platform = ClientTools & {
  readonly availability: Availability;
  /** A new one-time token; older unused ones of that car end with it. */
  readonly issueEnrolmentToken: (ask: EnrolmentGrant, audit: AuditEntry) => Promise<string>;
  /** The profile of the car that the token would enrol now; undefined where it would not. Changes nothing. */
  readonly checkEnrolmentToken: (address: Address, token: string) => Promise<string | undefined>;
  /** Uses the token up; true for just one of any number of callers. */
  readonly consumeEnrolmentToken: (address: Address, token: string) => Promise<boolean>;
};

const TOKEN_BYTES = 32;
/** Longer input is cut before it is hashed: it is no token. */
const TOKEN_CHARS_MAX = 256;

export function platformTables(
  db: Database,
  nowMs: () => number,
  audited: <T>(entry: AuditEntry, change: (sql: Sql) => T) => T,
): Platform {
  return {
    ...clientTools(db, nowMs, audited),
    availability: availabilityTable(db, nowMs),
    issueEnrolmentToken: async ({ tenant, vehicle, profile, lifeMs }, audit) => {
      const token = Buffer.from(randomBytes(TOKEN_BYTES)).toString("base64url");
      const now = nowMs();
      audited(audit, (sql) => {
        sql.run(
          "DELETE FROM enrolment_tokens WHERE tenant = ? AND vehicle = ? AND consumed_at_ms IS NULL",
          tenant,
          vehicle,
        );
        sql.run(
          "INSERT INTO enrolment_tokens (hash, tenant, vehicle, profile, issued_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
          ...[tokenHash(token), tenant, vehicle, profile, now, now + lifeMs],
        );
      });
      return token;
    },
    checkEnrolmentToken: async ({ tenant, vehicle }, token) =>
      db.read(
        (sql) =>
          sql.get<{ profile: string }>(
            `SELECT profile FROM enrolment_tokens WHERE ${TOKEN_IS_GOOD}`,
            ...[tokenHash(token), tenant, vehicle, nowMs()],
          )?.profile,
      ),
    consumeEnrolmentToken: async ({ tenant, vehicle }, token) =>
      db.write(
        (sql) =>
          sql.run(
            `UPDATE enrolment_tokens SET consumed_at_ms = ? WHERE ${TOKEN_IS_GOOD}`,
            ...[nowMs(), tokenHash(token), tenant, vehicle, nowMs()],
          ) === 1,
      ),
  };
}

const TOKEN_IS_GOOD =
  "hash = ? AND tenant = ? AND vehicle = ? AND consumed_at_ms IS NULL AND expires_at_ms > ?";

/** Found by its hash: what a lookup's timing tells is of the hash, from which no token follows. */
function tokenHash(token: string): Uint8Array {
  return sha256(utf8(token.slice(0, TOKEN_CHARS_MAX)));
}
