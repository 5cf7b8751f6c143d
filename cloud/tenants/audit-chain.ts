/**
 * The audit trail (P-50, P-51): entries that are only ever appended, each hashed together with the hash before it. The
 * head is signed and kept outside the store before an action is answered, so that a removed tail is found as well.
 */
import {
  type AuditEntry,
  concatBytes,
  encodeCbor,
  equalBytes,
  ProtocolError,
  sha256,
  toHex,
  uint64,
  utf8,
  verifyKey,
  verifySignature,
} from "@kerbside/protocol";
import { announced } from "./audit-keys.ts";
import type { Database, Sql } from "./database.ts";

export type AuditRow = AuditEntry & { readonly seq: number; readonly atMs: number };
/** The newest entry of a chain: what an anchor holds on to. */
export type AuditHead = { readonly seq: number; readonly hash: Uint8Array };
/** With the version of the key that is to sign it. */
export type HeadToSign = AuditHead & { readonly keyVersion: number };

/** Where signed heads are kept, outside the store they speak of. Both are durable when they resolve. */
export type Anchor = {
  readonly keep: (head: AuditHead, signature: Uint8Array) => void;
  /** All that were kept, in order. */
  readonly kept: () => readonly (AuditHead & { readonly signature: Uint8Array })[];
};

export type AuditReport = {
  readonly entries: number;
  /** Entries after the newest anchored head. */
  readonly unanchored: number;
  readonly problems: readonly string[];
};

/** An entry as it is hashed. */
export type ChainRow = {
  readonly seq: number;
  readonly at_ms: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly origin: string | null;
  readonly hash: Uint8Array;
};

const DOMAIN = "kerbside/v1/audit";
const COLUMNS = "seq, at_ms, actor, action, subject, outcome, reason, origin, hash";
/** How much of the chain is read at a time. */
const VERIFY_ROWS = 1000;
/** Problems that are named; the others are counted. */
const PROBLEMS_MAX = 1000;
const GENESIS = new Uint8Array(32);

/**
 * Appends within the caller's transaction, so that a change and its record stand or fall together. `last`: the head that
 * this same transaction wrote before, where it did.
 */
export function appendAudit(
  sql: Sql,
  owner: string,
  atMs: number,
  entry: AuditEntry,
  last: AuditHead | undefined = sql.get<AuditHead>(
    "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1",
  ),
): AuditHead {
  const row = {
    seq: (last?.seq ?? 0) + 1,
    at_ms: atMs,
    actor: entry.actor,
    action: entry.action,
    subject: entry.subject,
    outcome: entry.outcome,
    reason: entry.reason ?? null,
    origin: entry.from ?? null,
  };
  const hash = hashOf(owner, row, last?.hash ?? GENESIS);
  sql.run(
    `INSERT INTO audit (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...Object.values(row),
    hash,
  );
  return { seq: row.seq, hash };
}

export function readAudit(sql: Sql, after: number, limit: number): readonly AuditRow[] {
  return sql
    .all<ChainRow>(`SELECT ${COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
    .map((row) => ({
      seq: row.seq,
      atMs: row.at_ms,
      actor: row.actor,
      action: row.action,
      subject: row.subject,
      outcome: outcomeOf(row.outcome),
      ...(row.reason === null ? {} : { reason: row.reason }),
      ...(row.origin === null ? {} : { from: row.origin }),
    }));
}

/** What is signed of a head. */
export function headBytes(owner: string, { seq, hash }: AuditHead): Uint8Array {
  return concatBytes(utf8(`${DOMAIN}/head\n${owner}\n`), uint64(seq), hash);
}

/** A trail with all that shows that it holds, to be taken away. */
export type AuditChain = {
  /** As it stands in what is hashed and signed. */
  readonly owner: string;
  readonly firstKey: Uint8Array;
  /** To be read before the entries: one that is kept later can only speak of what is read then. */
  readonly heads: Anchor["kept"];
  readonly rows: (after: number) => readonly ChainRow[];
};

export function auditChain(
  store: Pick<Database, "read">,
  owner: string,
  anchor: Anchor,
  firstKey: () => Uint8Array,
): AuditChain {
  return {
    owner,
    get firstKey() {
      return firstKey();
    },
    heads: anchor.kept,
    rows: (after) => store.read((sql) => rowsAfter(sql, after)),
  };
}

/** The next of them, VERIFY_ROWS at most. */
function rowsAfter(sql: Sql, after: number): readonly ChainRow[] {
  return sql.all<ChainRow>(
    `SELECT ${COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`,
    ...[after, VERIFY_ROWS],
  );
}

function* allRows(sql: Sql): Iterable<ChainRow> {
  for (let rows = rowsAfter(sql, 0); rows.length > 0; rows = rowsAfter(sql, rows.at(-1)?.seq ?? 0))
    yield* rows;
}

/** Reads the whole chain of a store. See `verifyChain`. */
export function verifyAudit(
  sql: Sql,
  owner: string,
  anchors: ReturnType<Anchor["kept"]>,
  publicKey: Uint8Array,
): AuditReport {
  return verifyChain(allRows(sql), owner, anchors, publicKey);
}

/**
 * Holds the whole chain against its own hashes and against the anchored heads, each signed by the key that was in force
 * there: `publicKey` at the beginning, then those that the chain itself announces. `rows` by their numbers.
 */
export function verifyChain(
  rows: Iterable<ChainRow>,
  owner: string,
  anchors: ReturnType<Anchor["kept"]>,
  publicKey: Uint8Array,
): AuditReport {
  const problems: string[] = [];
  let unsaid = 0;
  const found = (problem: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(problem);
    else unsaid += 1;
  };
  const bySeq = Map.groupBy(anchors, ({ seq: at }) => at);
  let key = verifyKey(publicKey);
  let previous: Uint8Array = GENESIS;
  let seq = 0;
  for (const row of rows) {
    if (row.seq !== seq + 1) found(`entries ${seq + 1} to ${row.seq - 1}: are missing`);
    if (!equalBytes(hashOf(owner, row, previous), row.hash))
      found(`entry ${row.seq}: does not match its hash`);
    for (const anchor of bySeq.get(row.seq) ?? []) {
      if (!verifySignature(key, headBytes(owner, anchor), anchor.signature))
        found(`anchor of entry ${row.seq}: its signature does not verify`);
      if (!equalBytes(anchor.hash, row.hash))
        found(`entry ${row.seq}: is not the one that was anchored`);
    }
    const next = announced(row);
    if (next !== undefined) key = verifyKey(next);
    seq = row.seq;
    previous = row.hash;
  }
  const newest = anchors.reduce((most, { seq: at }) => Math.max(most, at), 0);
  if (newest > seq) found(`entries ${seq + 1} to ${newest}: were anchored and are missing`);
  if (unsaid > 0) problems.push(`and ${unsaid} more`);
  return { entries: seq, unanchored: Math.max(0, seq - newest), problems };
}

function hashOf(owner: string, row: Omit<ChainRow, "hash">, previous: Uint8Array): Uint8Array {
  const { seq, at_ms, actor, action, subject, outcome, reason, origin } = row;
  return sha256(
    encodeCbor([
      DOMAIN,
      owner,
      seq,
      at_ms,
      actor,
      action,
      subject,
      outcome,
      reason,
      origin,
      previous,
    ]),
  );
}

function outcomeOf(value: string): AuditEntry["outcome"] {
  switch (value) {
    case "asked":
    case "done":
    case "refused":
    case "failed":
      return value;
    default:
      throw new ProtocolError("storage_failed", `audit: no outcome ${toHex(utf8(value))}`);
  }
}
