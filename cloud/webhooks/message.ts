/** What a webhook is told: the ids of what changed (P-33), under a name that stays the same however often it is sent. */
import type { WebhookDelivery } from "@kerbside/protocol";
import { signatures } from "./signature.ts";

export type Message = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const TYPE = "feed.changed";

/** Undefined where nothing is left of it that the webhook wants. */
export function messageOf(delivery: WebhookDelivery, nowMs: number): Message | undefined {
  const { webhook, batch, entries, secrets } = delivery;
  const newest = entries.at(-1);
  if (newest === undefined) return undefined;
  const items = entries.map(({ cursor, atMs, topic, id }) => ({
    cursor,
    at: new Date(atMs).toISOString(),
    topic,
    id,
  }));
  const body = JSON.stringify({
    type: TYPE,
    timestamp: new Date(newest.atMs).toISOString(),
    data: { items, next: String(batch.last) },
  });
  const id = `msg_${webhook.id}_${batch.first}_${batch.last}`;
  const timestampS = Math.floor(nowMs / 1000);
  return {
    body,
    headers: {
      "content-type": "application/json",
      "user-agent": "kerbside-webhooks/1",
      "webhook-id": id,
      "webhook-timestamp": String(timestampS),
      "webhook-signature": signatures(secrets, { id, timestampS, body }),
    },
  };
}
