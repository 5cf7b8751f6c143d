/** Webhooks: addresses that are told what changed. Their secrets are shown once, when they are made. */
import { randomUUID } from "node:crypto";
import {
  type AuditEntry,
  FEED_TOPICS,
  type FeedTopic,
  ProtocolError,
  WEBHOOK_URL_CHARS_MAX,
  type WebhookBatch,
  type WebhookRecord,
  type WebhookStanding,
  webhookSecretText,
  webhookUrl,
} from "@kerbside/protocol";
import { type TSchema, type TUnsafe, Type } from "typebox";
import { type Answer, type Call, cursorOf, limitOf, type Route } from "./route.ts";
import { pageOf } from "./schemas.ts";
import { iso } from "./views.ts";

const strict = { additionalProperties: false } as const;
const said = (description: string, example?: string): TSchema =>
  Type.String({ description, ...(example === undefined ? {} : { examples: [example] }) });
const TOPICS = Type.Array(Type.Unsafe<FeedTopic>({ type: "string", enum: FEED_TOPICS }), {
  description: "only these; all where there is none",
  maxItems: FEED_TOPICS.length,
  uniqueItems: true,
});
const URL_TEXT: TUnsafe<string> = Type.Unsafe<string>({
  type: "string",
  maxLength: WEBHOOK_URL_CHARS_MAX,
  description: "a public HTTPS address (TLS 1.3)",
  examples: ["https://hooks.operator.example/kerbside"],
});
const SECRET = said(
  "signs what is sent; shown this once",
  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
);

const WEBHOOK = {
  webhook: said("its id"),
  url: URL_TEXT,
  topics: TOPICS,
  on: Type.Boolean({ description: "whether anything is sent" }),
  off: Type.Optional(
    Type.Unsafe<string>({
      type: "string",
      enum: ["asked", "gone", "unreachable", "full"],
      description:
        "why nothing is sent: somebody asked so, it answered 410, it was not reached for days, too much was not taken",
    }),
  ),
  offSince: Type.Optional(said("since when")),
  madeAt: said("when it was made"),
  failingSince: Type.Optional(said("nothing was taken since then")),
  secretVersion: Type.Integer({ description: "rises with each new secret" }),
  overlapUntil: Type.Optional(said("until then the secret before is signed with too")),
  next: said("what the feed has up to here was taken or is under way"),
  dead: Type.Integer({ description: "how many batches nobody took; `…/dead` has them" }),
  waiting: Type.Optional(
    Type.Object(
      {
        attempts: Type.Integer({ description: "how often it was sent, or begun to be" }),
        why: Type.Optional(said("why it was not taken so far: a status or a code", "status 500")),
        dueAt: said("when it is tried next"),
      },
      { ...strict, description: "what is sent next or again, where there is anything" },
    ),
  ),
};
const WebhookSchema = Type.Object(WEBHOOK, strict);
const WithSecretSchema = Type.Object({ ...WEBHOOK, secret: SECRET }, strict);
const BatchSchema = Type.Object(
  {
    delivery: Type.Integer({ description: "its id" }),
    first: Type.Integer({ description: "cursor of the feed" }),
    last: Type.Integer({ description: "cursor of the feed" }),
    attempts: Type.Integer({ description: "how often it was sent, or begun to be" }),
    why: Type.Optional(said("why it was not taken", "status 500")),
  },
  strict,
);
type NewBody = { readonly url: string; readonly topics?: readonly FeedTopic[] };
const NewSchema = Type.Object({ url: URL_TEXT, topics: Type.Optional(TOPICS) }, strict);
type ChangeBody = Partial<NewBody> & { readonly on?: boolean };
const ChangeSchema = Type.Object(
  {
    url: Type.Optional(URL_TEXT),
    topics: Type.Optional(TOPICS),
    on: Type.Optional(Type.Boolean({ description: "on again, it goes on where it stopped" })),
  },
  strict,
);
type RedriveBody = { readonly deliveries?: readonly number[] };
const REDRIVE_MAX = 100;
const RedriveSchema = Type.Object(
  {
    deliveries: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1 }), {
        description: "only these; all that nobody took without it",
        maxItems: REDRIVE_MAX,
      }),
    ),
  },
  strict,
);
const NOTHING = Type.Object({}, strict);

async function view(
  { store }: Call,
  record: WebhookRecord,
): Promise<Readonly<Record<string, unknown>>> {
  const { dead, waiting } = await store.webhooks.webhookStanding(record.id);
  const { id, url, topics, state, overlapUntilMs, failingSinceMs, secretVersion } = record;
  return {
    ...{ webhook: id, url, topics, on: state.at === "on", secretVersion },
    ...(state.at === "on" ? {} : { off: state.why, offSince: iso(state.sinceMs) }),
    madeAt: iso(record.madeAtMs),
    next: String(record.cursor),
    dead,
    ...(waiting === undefined ? {} : { waiting: waitingView(waiting) }),
    ...(failingSinceMs === undefined ? {} : { failingSince: iso(failingSinceMs) }),
    ...(overlapUntilMs === undefined ? {} : { overlapUntil: iso(overlapUntilMs) }),
  };
}

function waitingView({ dueMs, ...waiting }: NonNullable<WebhookStanding["waiting"]>) {
  return { ...waiting, dueAt: iso(dueMs) };
}

function batchView({ id, ...batch }: WebhookBatch): Readonly<Record<string, unknown>> {
  return { delivery: id, ...batch };
}

function audit(call: Call, action: string, id: string): AuditEntry {
  const { caller, from } = call;
  return {
    ...{ actor: caller.subject, action: `webhook.${action}`, subject: `webhook:${id}` },
    ...{ outcome: "done", from },
  };
}

/** Throws ProtocolError `malformed`. */
function addressed(call: Call, text: string): string {
  const url = webhookUrl(text);
  call.parts.webhookAddress?.(url);
  return url.href;
}

async function one(call: Call): Promise<WebhookRecord> {
  const { webhook: id = "" } = call.params;
  const record = await call.store.webhooks.webhook(id);
  if (record === undefined) throw new ProtocolError("not_found", "webhook: there is none such");
  return record;
}

async function add(call: Call): Promise<Answer> {
  // By the row's schema.
  const { url, topics = [] } = call.body as NewBody;
  const webhook = { id: randomUUID(), url: addressed(call, url), topics };
  const secret = await call.store.webhooks.addWebhook(webhook, audit(call, "add", webhook.id));
  const record = await one({ ...call, params: { ...call.params, webhook: webhook.id } });
  return {
    status: 201,
    body: { ...(await view(call, record)), secret: webhookSecretText(secret) },
  };
}

async function change(call: Call): Promise<Answer> {
  const { id } = await one(call);
  // By the row's schema.
  const { url, ...rest } = call.body as ChangeBody;
  const wanted = { ...rest, ...(url === undefined ? {} : { url: addressed(call, url) }) };
  const record = await call.store.webhooks.changeWebhook(id, wanted, audit(call, "change", id));
  return { status: 200, body: await view(call, record) };
}

async function rotate(call: Call): Promise<Answer> {
  const { id } = await one(call);
  const secret = await call.store.webhooks.rotateWebhook(id, audit(call, "rotate", id));
  const shown = await view(call, await one(call));
  return { status: 200, body: { ...shown, secret: webhookSecretText(secret) } };
}

async function remove(call: Call): Promise<Answer> {
  const { id } = await one(call);
  await call.store.webhooks.removeWebhook(id, audit(call, "remove", id));
  return { status: 200, body: {} };
}

async function dead(call: Call): Promise<Answer> {
  const { id } = await one(call);
  const limit = limitOf(call.query);
  const after = cursorOf(call.query.after);
  const batches = await call.store.webhooks.deadDeliveries(id, after, limit);
  const last = batches.length === limit ? batches.at(-1) : undefined;
  const next = last === undefined ? {} : { next: String(last.id) };
  return { status: 200, body: { items: batches.map(batchView), ...next } };
}

async function redrive(call: Call): Promise<Answer> {
  const { id } = await one(call);
  // By the row's schema.
  const { deliveries } = call.body as RedriveBody;
  const entry = audit(call, "redrive", id);
  const count = await call.store.webhooks.redriveDeliveries(id, deliveries, entry);
  return { status: 200, body: { count } };
}

const READ = { scopes: ["webhooks:read", "webhooks:write"], tag: "webhooks" } as const;
const WRITE = { scopes: ["webhooks:write"], tag: "webhooks" } as const;

export const WEBHOOK_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/webhooks", operation: "listWebhooks", summary: "Webhooks" },
    ...READ,
    answers: { 200: pageOf(WebhookSchema) },
    handle: async (call) => {
      const records = await call.store.webhooks.webhooks();
      const items = await Promise.all(records.map((record) => view(call, record)));
      return { status: 200, body: { items } };
    },
  },
  {
    ...{ method: "POST", path: "/webhooks", operation: "addWebhook" },
    summary: "Have an address told what changes from now on",
    ...WRITE,
    body: NewSchema,
    answers: { 201: WithSecretSchema },
    handle: add,
  },
  {
    ...{ method: "GET", path: "/webhooks/:webhook", operation: "getWebhook" },
    summary: "One webhook",
    ...READ,
    answers: { 200: WebhookSchema },
    handle: async (call) => ({ status: 200, body: await view(call, await one(call)) }),
  },
  {
    ...{ method: "PATCH", path: "/webhooks/:webhook", operation: "changeWebhook" },
    summary: "Another address, other topics, on or off",
    ...WRITE,
    body: ChangeSchema,
    answers: { 200: WebhookSchema },
    handle: change,
  },
  {
    ...{ method: "POST", path: "/webhooks/:webhook/rotate", operation: "rotateWebhook" },
    summary: "A new secret; the one before is signed with for another day",
    ...WRITE,
    body: NOTHING,
    answers: { 200: WithSecretSchema },
    handle: rotate,
  },
  {
    ...{ method: "POST", path: "/webhooks/:webhook/remove", operation: "removeWebhook" },
    summary: "Take it away, with all that waits for it",
    ...WRITE,
    body: NOTHING,
    answers: { 200: NOTHING },
    handle: remove,
  },
  {
    ...{ method: "GET", path: "/webhooks/:webhook/dead", operation: "listDeadDeliveries" },
    summary: "What nobody took, oldest first",
    ...READ,
    query: ["after", "limit"],
    answers: { 200: pageOf(BatchSchema) },
    handle: dead,
  },
  {
    ...{ method: "POST", path: "/webhooks/:webhook/redrive", operation: "redriveDeliveries" },
    summary: "Send again what nobody took",
    ...WRITE,
    body: RedriveSchema,
    answers: { 200: Type.Object({ count: Type.Integer({ description: "how many" }) }, strict) },
    handle: redrive,
  },
];
