/**
 * OAuth clients in the platform's store. Each row carries a seal under the token issuer's key, over everything that
 * says what the client may do: whoever else can write to the store makes no client that the issuer believes.
 */
import { scrypt, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import {
  type AuditEntry,
  deriveKey,
  encodeCbor,
  hmac,
  ProtocolError,
  randomBytes,
  sameMac,
  type TenantId,
  tenantId,
} from "@kerbside/protocol";
import { type Database, openDatabase, type Sql } from "./database.ts";
import { PLATFORM_MIGRATIONS } from "./platform-schema.ts";

export type Client = {
  readonly client: string;
  readonly tenant: TenantId;
  readonly scopes: readonly string[];
};
/** Makes the seal of a row's fields; only the issuer's side has the key. */
export type ClientSeal = (fields: ClientFields) => Uint8Array;
type ClientFields = {
  readonly client: string;
  readonly tenant: string;
  readonly scopes: string;
  readonly salt: Uint8Array;
  readonly secretHash: Uint8Array;
};

/** The clients as the issuer reads them. */
export type IssuerClientTable = {
  /** The client, unless there is none, it was revoked or its seal does not verify. */
  readonly client: (client: string) => Promise<Client | undefined>;
  /** The client if the secret is its own. Takes about as long for a client that does not exist. */
  readonly verifyClient: (client: string, secret: string) => Promise<Client | undefined>;
  readonly close: () => void;
};

const SECRET_BYTES = 32;
const SALT_BYTES = 16;
/** RFC 7914: N = 2^14, r = 8, p = 1, 16 MB. The secrets are random, so this only slows a stolen table down. */
const SCRYPT = { N: 16_384, r: 8, p: 1 } as const;
const HASH_BYTES = 32;
/** Longer input is refused before it is hashed. */
const SECRET_CHARS_MAX = 256;
const NO_SALT = new Uint8Array(SALT_BYTES);

export function clientSeal(issuerKey: Uint8Array): ClientSeal {
  const key = deriveKey(issuerKey, "kerbside/v1/oauth-clients");
  return ({ client, tenant, scopes, salt, secretHash }) =>
    hmac(key, encodeCbor(["kerbside/v1/oauth-client", client, tenant, scopes, salt, secretHash]));
}

/** Opens the platform's store for the issuer, which has no other secret of the platform. Throws as openDatabase. */
export function openIssuerClients(dir: string, issuerKey: Uint8Array): IssuerClientTable {
  const file = join(dir, "platform.sqlite");
  const options = { file, migrations: PLATFORM_MIGRATIONS, create: false, nowMs: Date.now };
  const db = openDatabase(options);
  const seal = clientSeal(issuerKey);
  const find = (client: string): Row | undefined => {
    const row = db.read((sql) => sql.get<Row>(`${SELECT} WHERE client = ? AND ${ALIVE}`, client));
    if (row?.seal == null || !sameMac(row.seal, seal(fieldsOf(row)))) return undefined;
    return row;
  };
  return {
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
    close: () => db.close(),
  };
}

/** Whether the tenant has that client and did not revoke it. What it may do, its tokens say, which the issuer signed. */
export function isOpenClient(db: Database, tenant: TenantId, client: string): boolean {
  const query = `SELECT 1 AS found FROM clients WHERE client = ? AND tenant = ? AND ${ALIVE}`;
  return db.one<{ found: number }>(query, client, tenant) !== undefined;
}

/** What the platform's tools do with clients; see `Platform`. */
export function clientTools(
  db: Database,
  nowMs: () => number,
  audited: <T>(entry: AuditEntry, change: (sql: Sql) => T) => T,
): ClientTools {
  return {
    createClient: async ({ client, tenant, scopes, secret: given }, seal, audit) => {
      const secret = given ?? Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");
      const salt = randomBytes(SALT_BYTES);
      const hashed = await secretHash(secret, salt);
      const fields = { client, tenant, scopes: scopes.join(" "), salt, secretHash: hashed };
      audited(audit, (sql) => {
        const added = sql.run(
          "INSERT INTO clients (client, tenant, scopes, salt, secret_hash, created_at_ms, seal) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
          ...[client, tenant, fields.scopes, salt, hashed, nowMs(), seal(fields)],
        );
        if (added === 0) throw new ProtocolError("conflict", `client ${client}: is there already`);
      });
      return secret;
    },
    clients: (tenant) =>
      db
        .read((sql) => sql.all<Row & { revoked_at_ms: number | null }>(OF_TENANT, tenant))
        .map((row) => ({ ...clientOf(row), revokedAtMs: row.revoked_at_ms ?? undefined })),
    revokeClient: async (tenant, client, audit) =>
      audited(audit, (sql) => {
        const changed = sql.run(
          `UPDATE clients SET revoked_at_ms = ? WHERE client = ? AND tenant = ? AND ${ALIVE}`,
          ...[nowMs(), client, tenant],
        );
        if (changed === 0) throw new ProtocolError("not_found", `client ${client}: is not there`);
      }),
    sealClients: (seal) =>
      db.write((sql) => {
        const bare = sql.all<Row>(`${SELECT} WHERE seal IS NULL`);
        for (const row of bare)
          sql.run("UPDATE clients SET seal = ? WHERE client = ?", seal(fieldsOf(row)), row.client);
        return bare.length;
      }),
  };
}

export type ClientTools = {
  /** Makes a client and returns its secret, the given one or a new one, which is kept nowhere else. Throws `conflict`. */
  readonly createClient: (
    client: Client & { readonly secret?: string },
    seal: ClientSeal,
    audit: AuditEntry,
  ) => Promise<string>;
  /** All that the tenant ever had, by name. */
  readonly clients: (
    tenant: TenantId,
  ) => readonly (Client & { readonly revokedAtMs: number | undefined })[];
  /** It gets no token any more, and those it has are refused at the next call. Its name stays taken. Throws `not_found`. */
  readonly revokeClient: (tenant: TenantId, client: string, audit: AuditEntry) => Promise<void>;
  /**
   * Seals the clients of a store that was made before there were seals, and says how many. To be called once, when the
   * issuer's vault is made: later it would seal what somebody else put there.
   */
  readonly sealClients: (seal: ClientSeal) => number;
};

type Row = {
  readonly client: string;
  readonly tenant: string;
  readonly scopes: string;
  readonly salt: Uint8Array;
  readonly secret_hash: Uint8Array;
  readonly seal: Uint8Array | null;
};
const SELECT = "SELECT client, tenant, scopes, salt, secret_hash, seal FROM clients";
const OF_TENANT =
  "SELECT client, tenant, scopes, salt, secret_hash, seal, revoked_at_ms FROM clients WHERE tenant = ? ORDER BY client";
const ALIVE = "revoked_at_ms IS NULL";

function fieldsOf({ client, tenant, scopes, salt, secret_hash }: Row): ClientFields {
  return { client, tenant, scopes, salt, secretHash: secret_hash };
}

function clientOf(row: Row): Client {
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
