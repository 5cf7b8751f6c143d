/** What was put aside of what cars sent: its reasons, and handing it in again once what stood against it may be gone. */
import { ProtocolError } from "@kerbside/protocol";
import { Type } from "typebox";
import { type Answer, type Call, cursorOf, limitOf, type Route } from "./route.ts";
import { pageOf } from "./schemas.ts";
import { toolsOf } from "./tools-of.ts";
import { iso } from "./views.ts";

const strict = { additionalProperties: false } as const;
const NOTHING = Type.Object({}, strict);
const TAKEN: ReadonlySet<string> = new Set(["stored", "duplicate", "fork"]);

const PutAsideSchema = Type.Object(
  {
    message: Type.Integer({ description: "its number" }),
    at: Type.String({ description: "when it came (ISO 8601)" }),
    vehicle: Type.Optional(Type.String({ description: "the car that it names, unproven" })),
    reason: Type.String({ description: "why it was put aside" }),
    topic: Type.String({ description: "on which it came" }),
    bytes: Type.Integer({ description: "its length; what it holds is not shown" }),
  },
  strict,
);
const HandedInSchema = Type.Object(
  {
    outcome: Type.Unsafe<string>({
      type: "string",
      enum: ["stored", "duplicate", "fork", "waiting", "dropped", "still"],
      description: "stored, duplicate and fork leave quarantine; the others stay",
    }),
    taken: Type.Boolean({ description: "it has left quarantine" }),
    reason: Type.Optional(Type.String({ description: "why it stays" })),
  },
  strict,
);

async function list(call: Call): Promise<Answer> {
  const tools = await toolsOf(call);
  const limit = limitOf(call.query);
  const found = await tools.putAside(cursorOf(call.query.after), limit);
  const items = found.map(({ id, atMs, ...rest }) => ({ message: id, at: iso(atMs), ...rest }));
  const last = found.length === limit ? found.at(-1) : undefined;
  return { status: 200, body: { items, ...(last === undefined ? {} : { next: `${last.id}` }) } };
}

async function handIn(call: Call): Promise<Answer> {
  const { message = "" } = call.params;
  const { caller, from } = call;
  const known = /^[0-9]{1,15}$/.test(message);
  const handedIn = known
    ? await (await toolsOf(call)).handIn(Number(message), {
        ...{ actor: caller.subject, action: "quarantine.redrive" },
        ...{ subject: `quarantine:${message}`, outcome: "done", from },
      })
    : undefined;
  if (handedIn === undefined)
    throw new ProtocolError("not_found", "quarantine: there is no such message");
  const { value: outcome, ...why } = handedIn;
  return { status: 200, body: { outcome, taken: TAKEN.has(outcome), ...why } };
}

export const QUARANTINE_ROUTES: readonly Route[] = [
  {
    ...{ method: "GET", path: "/quarantine", operation: "listQuarantine" },
    summary: "Messages that were put aside, each with its reason",
    ...{ scopes: ["quarantine:read"], tag: "quarantine", query: ["after", "limit"] },
    personal: true,
    answers: { 200: pageOf(PutAsideSchema) },
    handle: list,
  },
  {
    ...{ method: "POST", path: "/quarantine/:message/redrive", operation: "redriveQuarantined" },
    summary: "Hand a message in again, with the keys and enrolments of now",
    ...{ scopes: ["quarantine:redrive"], tag: "quarantine", body: NOTHING },
    answers: { 200: HandedInSchema },
    handle: handIn,
  },
];
