/** The tables of webhooks. See tenant-schema.ts. */
import type { ColumnClasses } from "./schema-check.ts";

export const WEBHOOKS_SQL = `
CREATE TABLE webhooks /* addresses that are told what changed */ (
  id /* UUIDv4 */ TEXT PRIMARY KEY,
  url /* where */ TEXT NOT NULL,
  topics /* of the feed, with commas between them; none: all */ TEXT NOT NULL,
  off /* why nothing is sent; null: it is on */ TEXT,
  off_since_ms /* Unix time */ INTEGER,
  made_at_ms /* Unix time */ INTEGER NOT NULL,
  secret_version /* rises with each new secret */ INTEGER NOT NULL,
  transit /* version of the transit key that the secret follows from */ INTEGER NOT NULL,
  transit_before /* the same of the secret before */ INTEGER,
  overlap_until_ms /* the secret before is good until then, Unix time */ INTEGER,
  failing_since_ms /* nothing was taken since, Unix time */ INTEGER,
  cursor /* of the feed: what is up to here was taken, or lies in a batch */ INTEGER NOT NULL
) STRICT;
CREATE TABLE webhook_batches /* what was not taken yet, or by nobody */ (
  id /* rises */ INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook /* of webhooks */ TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  first /* cursor of the feed */ INTEGER NOT NULL,
  last /* cursor of the feed */ INTEGER NOT NULL,
  attempts /* how often it was sent */ INTEGER NOT NULL,
  due_at_ms /* Unix time; null: nobody took it */ INTEGER,
  redriven /* 1: asked for again, apart from the order */ INTEGER NOT NULL,
  why /* it was not taken: a status or a code */ TEXT,
  holder /* the process that sends it */ TEXT,
  held_until_ms /* Unix time */ INTEGER
) STRICT;
CREATE INDEX webhook_batches_due ON webhook_batches (webhook, due_at_ms);
`;

export const WEBHOOK_BATCH_TOPICS_SQL =
  "ALTER TABLE webhook_batches ADD COLUMN topics /* it was gathered for, as of webhooks; null: before this was kept */ TEXT;";

const internal = ["Internal"] as const;
/** An address may carry what only its owner is to know. */
const confidential = ["Confidential"] as const;
export const WEBHOOK_CLASSES: ColumnClasses = {
  webhooks: {
    id: internal,
    url: confidential,
    topics: internal,
    off: internal,
    off_since_ms: internal,
    made_at_ms: internal,
    secret_version: internal,
    transit: internal,
    transit_before: internal,
    overlap_until_ms: internal,
    failing_since_ms: internal,
    cursor: internal,
  },
  webhook_batches: {
    id: internal,
    webhook: internal,
    first: internal,
    last: internal,
    attempts: internal,
    due_at_ms: internal,
    redriven: internal,
    why: internal,
    holder: internal,
    held_until_ms: internal,
    topics: internal,
  },
};
