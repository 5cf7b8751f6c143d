/**
 * Webhooks as rows. A batch is committed before it is sent and taken out after it was taken, so that a process that
 * dies in between sends the same message again. Secrets are not stored: each follows from a transit key of the vault.
 */
import {
  deriveKey,
  FEED_TOPICS,
  type FeedEntry,
  type FeedTopic,
  ProtocolError,
  type TenantId,
  utf8,
  WEBHOOK_BATCH_MAX,
  WEBHOOK_DEAD_MAX,
  WEBHOOK_OVERLAP_MS,
  WEBHOOKS_MAX,
  type WebhookBatch,
  type WebhookChange,
  type WebhookOff,
  type WebhookRecord,
  type WebhookSettlement,
  type WebhookStanding,
  type WebhookStore,
} from "@kerbside/protocol";
import type { Database, Sql } from "./database.ts";
import type { Audited, AuditedBy } from "./people-store.ts";
import type { TransitKeys } from "./subject-keys.ts";

/** Entries of the feed that one look passes over where a webhook wants none of them. */
const LOOK_MAX = 1000;
/** Of the text that says why something was not taken. */
const WHY_CHARS_MAX = 40;

type Row = {
  readonly id: string;
  readonly url: string;
  readonly topics: string;
  readonly off: WebhookOff | null;
  readonly off_since_ms: number | null;
  readonly made_at_ms: number;
  readonly secret_version: number;
  readonly transit: number;
  readonly transit_before: number | null;
  readonly overlap_until_ms: number | null;
  readonly failing_since_ms: number | null;
  readonly cursor: number;
};
type BatchRow = Omit<WebhookBatch, "why"> & { readonly why: string | null };
/** With the topics that it was gathered for: its bytes stay the same when the webhook's topics change. */
type DueRow = BatchRow & { readonly topics: string | null };
const BATCH = "id, first, last, attempts, why";

type Parts = {
  readonly tenant: TenantId;
  readonly store: Database;
  readonly transit: TransitKeys;
  readonly nowMs: () => number;
  readonly audited: Audited;
  readonly auditedBy: AuditedBy;
};

export function webhookStore(parts: Parts): WebhookStore {
  const { audited, auditedBy, store, nowMs } = parts;
  const newest = (): number => Math.max(...parts.transit.keys());
  return {
    webhooks: async () =>
      store.read((sql) => sql.all<Row>("SELECT * FROM webhooks ORDER BY made_at_ms, id")).map(of),
    webhook: async (id) => {
      const row = store.one<Row>("SELECT * FROM webhooks WHERE id = ?", id);
      return row === undefined ? undefined : of(row);
    },
    webhookStanding: async (id) => store.read((sql) => standing(sql, id)),
    addWebhook: async ({ id, url, topics }, audit) => {
      const transit = newest();
      audited(audit, (sql) => {
        const there = sql.get<{ n: number }>("SELECT count(*) AS n FROM webhooks")?.n ?? 0;
        if (there >= WEBHOOKS_MAX)
          throw new ProtocolError("limit_reached", `webhooks: expected at most ${WEBHOOKS_MAX}`);
        sql.run(
          "INSERT INTO webhooks (id, url, topics, made_at_ms, secret_version, transit, cursor) " +
            "VALUES (?, ?, ?, ?, 1, ?, (SELECT coalesce(max(cursor), 0) FROM feed))",
          ...[id, url, topics.join(","), nowMs(), transit],
        );
      });
      return secretOf(parts, id, 1, transit);
    },
    changeWebhook: async (id, change, audit) =>
      auditedBy((sql) => {
        const before = of(must(sql, id));
        const value = changed(sql, id, change, nowMs());
        const reason = [audit.reason, changesOf(before, value)].join(" ").trim();
        return { value, entry: { ...audit, reason } };
      }),
    rotateWebhook: async (id, audit) => {
      const transit = newest();
      const version = audited(audit, (sql) => {
        const { secretVersion } = of(must(sql, id));
        sql.run(
          "UPDATE webhooks SET secret_version = ?, transit_before = transit, transit = ?, overlap_until_ms = ? WHERE id = ?",
          ...[secretVersion + 1, transit, nowMs() + WEBHOOK_OVERLAP_MS, id],
        );
        return secretVersion + 1;
      });
      return secretOf(parts, id, version, transit);
    },
    removeWebhook: async (id, audit) => {
      audited(audit, (sql) => {
        must(sql, id);
        sql.run("DELETE FROM webhooks WHERE id = ?", id);
      });
    },
    ...deliveries(parts),
  };
}

function deliveries(
  parts: Parts,
): Pick<WebhookStore, "claimDelivery" | "settleDelivery" | "deadDeliveries" | "redriveDeliveries"> {
  const { audited, auditedBy, store, nowMs } = parts;
  return {
    claimDelivery: async (id, holder, leaseMs) => {
      const now = nowMs();
      // Mostly there is nothing, which is seen without a writer's lock.
      if (!store.read((sql) => hasWork(sql, id, now))) return undefined;
      return store.write((sql) => claim(parts, sql, { id, holder, now, untilMs: now + leaseMs }));
    },
    settleDelivery: async (webhook, batch, holder, settlement) => {
      auditedBy((sql) => {
        const reason = settle(sql, { webhook, batch, holder }, settlement, nowMs());
        const entry = { actor: "webhooks", action: "webhook.off", subject: `webhook:${webhook}` };
        return {
          value: undefined,
          entry: reason === undefined ? undefined : { ...entry, outcome: "done", reason },
        };
      });
    },
    deadDeliveries: async (id, after, limit) =>
      store.read((sql) =>
        sql
          .all<BatchRow>(
            `SELECT ${BATCH} FROM webhook_batches WHERE webhook = ? AND due_at_ms IS NULL AND id > ? ORDER BY id LIMIT ?`,
            ...[id, after, limit],
          )
          .map(batchOf),
      ),
    redriveDeliveries: async (id, batches, audit) =>
      audited(audit, (sql) => {
        must(sql, id);
        const set =
          "UPDATE webhook_batches SET due_at_ms = ?, redriven = 1, attempts = 0, holder = NULL, held_until_ms = NULL " +
          "WHERE webhook = ? AND due_at_ms IS NULL";
        if (batches === undefined) return sql.run(set, nowMs(), id);
        return batches.reduce(
          (sum, batch) => sum + sql.run(`${set} AND id = ?`, nowMs(), id, batch),
          0,
        );
      }),
  };
}

/** Distinct by webhook and version; nobody without the vault can make it. */
function secretOf({ transit }: Parts, id: string, version: number, by: number): Uint8Array {
  const key = transit.get(by);
  if (key === undefined)
    throw new ProtocolError("storage_failed", `transit key ${by}: is not in the vault`);
  return deriveKey(key, "kerbside/v1/webhook", utf8(`${id}\n${version}`));
}

function must(sql: Sql, id: string): Row {
  const row = sql.get<Row>("SELECT * FROM webhooks WHERE id = ?", id);
  if (row === undefined) throw new ProtocolError("not_found", "webhook: there is none such");
  return row;
}

function changed(
  sql: Sql,
  id: string,
  { url, topics, on }: WebhookChange,
  nowMs: number,
): WebhookRecord {
  const row = must(sql, id);
  sql.run(
    "UPDATE webhooks SET url = ?, topics = ? WHERE id = ?",
    ...[url ?? row.url, topics?.join(",") ?? row.topics, id],
  );
  if (on === true) {
    sql.run(
      "UPDATE webhooks SET off = NULL, off_since_ms = NULL, failing_since_ms = NULL WHERE id = ?",
      id,
    );
    // What waited for its next try need not wait for it any longer.
    sql.run(
      "UPDATE webhook_batches SET due_at_ms = ?, attempts = 0 WHERE webhook = ? AND due_at_ms IS NOT NULL",
      ...[nowMs, id],
    );
  } else if (on === false && row.off === null) turnOff(sql, id, "asked", nowMs);
  return of(must(sql, id));
}

/** In words for the audit: what it was and what it is. Of an address the host, as the rest may hold a secret. */
function changesOf(before: WebhookRecord, after: WebhookRecord): string {
  const shown = ({ url, topics, state }: WebhookRecord): readonly (readonly [string, string])[] => [
    ["host", new URL(url).host],
    ["topics", topics.join(",") || "all"],
    ["state", state.at],
  ];
  const was = new Map(shown(before));
  const changes = shown(after).flatMap(([name, is]) =>
    was.get(name) === is ? [] : [`${name} ${was.get(name)} -> ${is}`],
  );
  const isMoved = before.url !== after.url && !changes.some((change) => change.startsWith("host"));
  return [...changes, ...(isMoved ? ["path"] : [])].join("; ") || "nothing";
}

function turnOff(sql: Sql, id: string, why: WebhookOff, nowMs: number): void {
  sql.run("UPDATE webhooks SET off = ?, off_since_ms = ? WHERE id = ?", why, nowMs, id);
}

const DUE =
  "webhook = ? AND due_at_ms <= ? AND (held_until_ms IS NULL OR held_until_ms <= ?) ORDER BY id LIMIT 1";

function hasWork(sql: Sql, id: string, now: number): boolean {
  const row = sql.get<Row>("SELECT * FROM webhooks WHERE id = ?", id);
  if (row === undefined || row.off !== null) return false;
  if (sql.get(`SELECT id FROM webhook_batches WHERE ${DUE}`, id, now, now) !== undefined)
    return true;
  return (
    !isBusy(sql, id) &&
    sql.get("SELECT 1 FROM feed WHERE cursor > ? LIMIT 1", row.cursor) !== undefined
  );
}

/** One batch at a time in the order of the feed; those asked for again do not hold it up. */
function isBusy(sql: Sql, id: string): boolean {
  const waiting =
    "SELECT 1 FROM webhook_batches WHERE webhook = ? AND due_at_ms IS NOT NULL AND redriven = 0 LIMIT 1";
  return sql.get(waiting, id) !== undefined;
}

type Claim = {
  readonly id: string;
  readonly holder: string;
  readonly now: number;
  readonly untilMs: number;
};

function claim(
  parts: Parts,
  sql: Sql,
  { id, holder, now, untilMs }: Claim,
): Awaited<ReturnType<WebhookStore["claimDelivery"]>> {
  const row = sql.get<Row>("SELECT * FROM webhooks WHERE id = ?", id);
  if (row === undefined || row.off !== null) return undefined;
  if (!isBusy(sql, id)) gather(sql, of(row), now);
  const found = sql.get<DueRow>(
    `SELECT ${BATCH}, topics FROM webhook_batches WHERE ${DUE}`,
    ...[id, now, now],
  );
  if (found === undefined) return undefined;
  const { topics, ...due } = found;
  // Counted before it is sent: whoever dies over it has sent it, or may have.
  const attempts = due.attempts + 1;
  sql.run(
    "UPDATE webhook_batches SET holder = ?, held_until_ms = ?, attempts = ? WHERE id = ?",
    ...[holder, untilMs, attempts, due.id],
  );
  const webhook = of(row);
  const overlap = row.transit_before !== null && (row.overlap_until_ms ?? 0) > now;
  return {
    webhook,
    batch: batchOf({ ...due, attempts }),
    entries: wanted(sql, topicsOf(topics ?? row.topics), due),
    secrets: [
      secretOf(parts, id, row.secret_version, row.transit),
      ...(overlap ? [secretOf(parts, id, row.secret_version - 1, row.transit_before)] : []),
    ],
  };
}

/** The next batch from the feed, where there is something that the webhook wants. */
function gather(sql: Sql, webhook: WebhookRecord, now: number): void {
  const { id, cursor, topics } = webhook;
  const entries = sql.all<Pick<FeedEntry, "cursor" | "topic">>(
    "SELECT cursor, topic FROM feed WHERE cursor > ? ORDER BY cursor LIMIT ?",
    ...[cursor, LOOK_MAX],
  );
  const chosen = chosenOf(topics, entries);
  const [first] = chosen;
  const last = chosen.length === WEBHOOK_BATCH_MAX ? chosen.at(-1) : entries.at(-1);
  if (last === undefined) return;
  sql.run("UPDATE webhooks SET cursor = ? WHERE id = ?", last.cursor, id);
  if (first === undefined) return;
  sql.run(
    "INSERT INTO webhook_batches (webhook, first, last, attempts, due_at_ms, redriven, topics) VALUES (?, ?, ?, 0, ?, 0, ?)",
    ...[id, first.cursor, last.cursor, now, topics.join(",")],
  );
}

function wanted(
  sql: Sql,
  topics: readonly FeedTopic[],
  { first, last }: Pick<WebhookBatch, "first" | "last">,
): readonly FeedEntry[] {
  const entries = sql.all<FeedEntry>(
    "SELECT cursor, at_ms AS atMs, topic, id FROM feed WHERE cursor >= ? AND cursor <= ? ORDER BY cursor LIMIT ?",
    ...[first, last, LOOK_MAX],
  );
  return chosenOf(topics, entries);
}

function chosenOf<T extends Pick<FeedEntry, "topic">>(
  topics: readonly FeedTopic[],
  entries: readonly T[],
): readonly T[] {
  return entries
    .filter(({ topic }) => topics.length === 0 || topics.includes(topic))
    .slice(0, WEBHOOK_BATCH_MAX);
}

type Held = { readonly webhook: string; readonly batch: number; readonly holder: string };

/** Says why the webhook was turned off, where it was. */
function settle(
  sql: Sql,
  { webhook, batch, holder }: Held,
  settlement: WebhookSettlement,
  now: number,
): WebhookOff | undefined {
  const mine = "id = ? AND webhook = ? AND holder = ?";
  if (settlement.at === "taken") {
    if (sql.run(`DELETE FROM webhook_batches WHERE ${mine}`, batch, webhook, holder) > 0)
      sql.run("UPDATE webhooks SET failing_since_ms = NULL WHERE id = ?", webhook);
    return undefined;
  }
  const due = settlement.at === "again" ? settlement.dueMs : settlement.at === "dead" ? null : now;
  const done = sql.run(
    `UPDATE webhook_batches SET due_at_ms = ?, why = ?, holder = NULL, held_until_ms = NULL WHERE ${mine}`,
    ...[due, settlement.why.slice(0, WHY_CHARS_MAX), batch, webhook, holder],
  );
  if (done === 0) return undefined;
  sql.run(
    "UPDATE webhooks SET failing_since_ms = coalesce(failing_since_ms, ?) WHERE id = ?",
    ...[now, webhook],
  );
  const off =
    settlement.at === "off"
      ? settlement.off
      : deadOf(sql, webhook) >= WEBHOOK_DEAD_MAX
        ? "full"
        : undefined;
  if (off !== undefined) turnOff(sql, webhook, off, now);
  return off;
}

function deadOf(sql: Sql, id: string): number {
  const dead = "SELECT count(*) AS n FROM webhook_batches WHERE webhook = ? AND due_at_ms IS NULL";
  return sql.get<{ n: number }>(dead, id)?.n ?? 0;
}

function standing(sql: Sql, id: string): WebhookStanding {
  const first =
    "SELECT attempts, why, due_at_ms FROM webhook_batches WHERE webhook = ? AND due_at_ms IS NOT NULL ORDER BY id LIMIT 1";
  type Waiting = Pick<BatchRow, "attempts" | "why"> & { readonly due_at_ms: number };
  const row = sql.get<Waiting>(first, id);
  const dead = deadOf(sql, id);
  if (row === undefined) return { dead };
  const { attempts, why, due_at_ms: dueMs } = row;
  return { dead, waiting: { attempts, dueMs, ...(why === null ? {} : { why }) } };
}

function of(row: Row): WebhookRecord {
  const { id, url, off, off_since_ms, overlap_until_ms, failing_since_ms, cursor } = row;
  return {
    id,
    url,
    cursor,
    topics: topicsOf(row.topics),
    state: off === null ? { at: "on" } : { at: "off", why: off, sinceMs: off_since_ms ?? 0 },
    madeAtMs: row.made_at_ms,
    secretVersion: row.secret_version,
    ...(overlap_until_ms === null ? {} : { overlapUntilMs: overlap_until_ms }),
    ...(failing_since_ms === null ? {} : { failingSinceMs: failing_since_ms }),
  };
}

function topicsOf(text: string): readonly FeedTopic[] {
  return text.split(",").flatMap((name): readonly FeedTopic[] => {
    const topic = FEED_TOPICS.find((each) => each === name);
    return topic === undefined ? [] : [topic];
  });
}

function batchOf({ why, ...batch }: BatchRow): WebhookBatch {
  return why === null ? batch : { ...batch, why };
}
