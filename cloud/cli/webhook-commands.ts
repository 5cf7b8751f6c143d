/** `webhook …`: addresses that are told what changes, through the running API. */
import { apiCaller, CALLER_OPTIONS, refused } from "./api-caller.ts";
import type { ApiAsk } from "./api-client.ts";
import { type Command, type Input, type Option, UsageError } from "./command.ts";

const WEBHOOK: Option = { value: "ID", required: true, doc: "id of the webhook" };
const TOPICS: Option = { value: "TOPIC[,TOPIC]", doc: "only these topics of the feed" };

type Asked = Omit<ApiAsk, "body"> & { readonly body?: object };

function topicsOf(input: Input): { readonly topics?: readonly string[] } {
  const topics = input.optional("topics")?.split(",");
  return topics === undefined ? {} : { topics };
}

function at(input: Input, rest: string): string {
  return `/webhooks/${encodeURIComponent(input.text("webhook"))}${rest}`;
}

function changeOf(input: Input): Asked {
  const url = input.optional("url-of-receiver");
  const [on, off] = [input.flag("on"), input.flag("off")];
  if (on && off) throw new UsageError("webhook change: expected --on or --off, not both");
  const body = {
    ...topicsOf(input),
    ...(url === undefined ? {} : { url }),
    ...(on || off ? { on } : {}),
  };
  if (Object.keys(body).length === 0)
    throw new UsageError("webhook change: expected what is to change");
  return { method: "PATCH", path: at(input, ""), body };
}

function redriveOf(input: Input): Asked {
  const named = input.optional("deliveries")?.split(",").map(Number);
  if (named?.some((id) => !Number.isSafeInteger(id) || id < 1) === true)
    throw new UsageError("--deliveries: expected numbers, with commas between them");
  const body = named === undefined ? {} : { deliveries: named };
  return { method: "POST", path: at(input, "/redrive"), body };
}

const RECEIVER: Option = { value: "URL", doc: "where it is told: a public HTTPS address" };
type Row = Pick<Command, "name" | "summary" | "options"> & {
  readonly ask: (input: Input) => Asked;
};

const ROWS: readonly Row[] = [
  {
    name: "webhook add",
    summary: "Has an address told what changes from now on; prints the secret, once.",
    options: { "url-of-receiver": { ...RECEIVER, required: true }, topics: TOPICS },
    ask: (input) => ({
      method: "POST",
      path: "/webhooks",
      body: { url: input.text("url-of-receiver"), ...topicsOf(input) },
    }),
  },
  {
    name: "webhook list",
    summary: "Lists the webhooks.",
    options: {},
    ask: () => ({ method: "GET", path: "/webhooks" }),
  },
  {
    name: "webhook change",
    summary: "Gives it another address or other topics, turns it on or off.",
    options: {
      webhook: WEBHOOK,
      "url-of-receiver": RECEIVER,
      topics: TOPICS,
      on: { doc: "send again, from where it stopped" },
      off: { doc: "send nothing" },
    },
    ask: changeOf,
  },
  {
    name: "webhook rotate",
    summary: "Makes a new secret; the one before is signed with for another day.",
    options: { webhook: WEBHOOK },
    ask: (input) => ({ method: "POST", path: at(input, "/rotate"), body: {} }),
  },
  {
    name: "webhook remove",
    summary: "Takes it away, with all that waits for it.",
    options: { webhook: WEBHOOK },
    ask: (input) => ({ method: "POST", path: at(input, "/remove"), body: {} }),
  },
  {
    name: "webhook dead",
    summary: "Lists what nobody took.",
    options: { webhook: WEBHOOK },
    ask: (input) => ({ method: "GET", path: at(input, "/dead?limit=1000") }),
  },
  {
    name: "webhook redrive",
    summary: "Sends again what nobody took.",
    options: {
      webhook: WEBHOOK,
      deliveries: { value: "N[,N]", doc: "only these; all without it" },
    },
    ask: redriveOf,
  },
];

export const WEBHOOK_COMMANDS: readonly Command[] = ROWS.map(({ ask, options, ...row }) => ({
  ...row,
  options: { ...CALLER_OPTIONS, ...options },
  run: async (input) => {
    const { body, ...asked } = ask(input);
    const api = await apiCaller(input);
    const answer = await api.ask(
      body === undefined ? asked : { ...asked, body: JSON.stringify(body) },
    );
    if (answer.status >= 300) throw refused(answer);
    const { items } = answer.body;
    for (const item of Array.isArray(items) ? items : [answer.body])
      input.print(item, wordsOf(item));
    return 0;
  },
}));

function wordsOf(item: object): string {
  const parts = Object.entries(item).map(([name, value]) => {
    const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
    return isNested ? `${name} (${wordsOf(value)})` : `${name} ${String(value)}`;
  });
  return parts.length === 0 ? "done" : parts.join(", ");
}
