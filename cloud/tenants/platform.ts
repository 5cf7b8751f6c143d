/** The platform's own tables (P-12): OAuth clients and enrolment tokens, neither with a secret in it. */
import { scrypt, timingSafeEqual } from "node:crypto";
import {
  type Address,
  type AuditEntry,
  ProtocolError,
  randomBytes,
  sha256,
  type TenantId,
  tenantId,
  utf8,
} from "@kerbside/protocol";
import type { Database, Sql } from "./database.ts";

export type Client = {
  readonly client: string;
  readonly tenant: TenantId;
  readonly scopes: readonly string[];
};

/** Leave for one car to join. */
export type EnrolmentGrant = Address & { readonly profile: string; readonly lifeMs: number };

export type Platform = {
  /** Makes a client and returns its secret, which is kept nowhere else. Throws `conflict`. */
  readonly createClient: (client: Client, audit: AuditEntry) => Promise<string>;
  /** The client, unless there is none or it was revoked. */
  readonly client: (client: string) => Promise<Client | undefined>;
  /** The client if the secret is its own. Takes about as long for a client that does not exist. */
  readonly verifyClient: (client: string, secret: string) => Promise<Client | undefined>;
  readonly revokeClient: (client: string, audit: AuditEntry) => Promise<void>;

  /** A new one-time token; older unused ones of that car end with it. */
  readonly issueEnrolmentToken: (ask: EnrolmentGrant, audit: AuditEntry) => Promise<string>;
  /** The profile of the car that the token would enrol now; undefined where it would not. Changes nothing. */
  readonly checkEnrolmentToken: (address: Address, token: string) => Promise<string | undefined>;
  /** Uses the token up; true for just one of any number of callers. */
  readonly consumeEnrolmentToken: (address: Address, token: string) => Promise<boolean>;
};

const SECRET_BYTES = 32;
const SALT_BYTES = 16;
/** RFC 7914: N = 2^14, r = 8, p = 1, 16 MB. The secrets are random, so this only slows a stolen table down. */
const SCRYPT = { N: 16_384, r: 8, p: 1 } as const;
const HASH_BYTES = 32;
/** Longer input is refused before it is hashed. */
const SECRET_CHARS_MAX = 256;
const NO_SALT = new Uint8Array(SALT_BYTES);

type ClientRow = {
  readonly client: string;
  readonly tenant: string;
  readonly scopes: string;
  readonly salt: Uint8Array;
  readonly secret_hash: Uint8Array;
};

export function platformTables(
  db: Database,
  nowMs: () => number,
  audited: <T>(entry: AuditEntry, change: (sql: Sql) => T) => T,
): Platform {
  const find = (client: string): ClientRow | undefined =>
    db.read((sql) =>
      sql.get<ClientRow>(
        "SELECT client, tenant, scopes, salt, secret_hash FROM clients WHERE client = ? AND revoked_at_ms IS NULL",
        client,
      ),
    );
  return {
    ...clientTable(nowMs, audited, find),
    issueEnrolmentToken: async ({ tenant, vehicle, profile, lifeMs }, audit) => {
      const token = Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");
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
  return sha256(utf8(token.slice(0, SECRET_CHARS_MAX)));
}

function clientTable(
  nowMs: () => number,
  audited: <T>(entry: AuditEntry, change: (sql: Sql) => T) => T,
  find: (client: string) => ClientRow | undefined,
): Pick<Platform, "createClient" | "client" | "verifyClient" | "revokeClient"> {
  return {
    createClient: async ({ client, tenant, scopes }, audit) => {
      const secret = Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");
      const salt = randomBytes(SALT_BYTES);
      const hashed = await secretHash(secret, salt);
      audited(audit, (sql) => {
        const added = sql.run(
          "INSERT INTO clients (client, tenant, scopes, salt, secret_hash, created_at_ms) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
          ...[client, tenant, scopes.join(" "), salt, hashed, nowMs()],
        );
        if (added === 0) throw new ProtocolError("conflict", `client ${client}: is there already`);
      });
      return secret;
    },
    client: async (client) => {
      const row = find(client);
      return row === undefined ? undefined : clientOf(row);
    },
    verifyClient: async (client, secret) => {
      const row = find(client);
      if (secret.length > SECRET_CHARS_MAX) return undefined;
      const hashed = await secretHash(secret, row?.salt ?? NO_SALT);
      return row !== undefined && timingSafeEqual(hashed, row.secret_hash)
        ? clientOf(row)
        : undefined;
    },
    revokeClient: async (client, audit) =>
      audited(audit, (sql) => {
        const changed = sql.run(
          "UPDATE clients SET revoked_at_ms = ? WHERE client = ? AND revoked_at_ms IS NULL",
          nowMs(),
          client,
        );
        if (changed === 0) throw new ProtocolError("not_found", `client ${client}: is not there`);
      }),
  };
}

function clientOf(row: ClientRow): Client {
  return { client: row.client, tenant: tenantId(row.tenant), scopes: row.scopes.split(" ") };
}

function secretHash(secret: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, HASH_BYTES, SCRYPT, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
