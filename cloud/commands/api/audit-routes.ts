/** Who did what: the tenant's audit trail, for its auditors and managers. */
import { Type } from "typebox";
import { type Answer, type Call, cursorOf, limitOf, type Route } from "./route.ts";
import { pageOf } from "./schemas.ts";
import { toolsOf } from "./tools-of.ts";
import { iso } from "./views.ts";

const AuditSchema = Type.Object(
  {
    seq: Type.Integer({ description: "its number in the chain" }),
    at: Type.String({ description: "when (ISO 8601)" }),
    actor: Type.String({
      description: "who: a client, a person's account, or a part of the system",
    }),
    action: Type.String(),
    subject: Type.String({ description: "whom or what it concerned" }),
    outcome: Type.String(),
    reason: Type.Optional(Type.String()),
    from: Type.Optional(Type.String({ description: "the network address it came from" })),
  },
  { additionalProperties: false },
);

async function list(call: Call): Promise<Answer> {
  const limit = limitOf(call.query);
  const trail = await call.store.auditTrail(cursorOf(call.query.after), limit);
  const items = trail.map(({ atMs, ...entry }) => ({ ...entry, at: iso(atMs) }));
  const last = trail.length === limit ? trail.at(-1) : undefined;
  return { status: 200, body: { items, ...(last === undefined ? {} : { next: `${last.seq}` }) } };
}

const CheckSchema = Type.Object(
  {
    ok: Type.Boolean({ description: "the whole trail holds" }),
    entries: Type.Integer({ description: "so many were read" }),
    unanchored: Type.Integer({ description: "the newest, whose heads are not kept elsewhere yet" }),
    problems: Type.Array(Type.String(), { description: "each in words" }),
  },
  { additionalProperties: false },
);
/** The more there are, the less another one says. */
const PROBLEMS_SHOWN = 20;

async function check(call: Call): Promise<Answer> {
  const { entries, unanchored, problems } = await (await toolsOf(call)).checkAudit();
  const unsaid = problems.length - PROBLEMS_SHOWN;
  const shown = [
    ...problems.slice(0, PROBLEMS_SHOWN),
    ...(unsaid > 0 ? [`and ${unsaid} more; audit verify names them`] : []),
  ];
  const body = { ok: problems.length === 0, entries, unanchored, problems: shown };
  return { status: 200, body };
}

export const AUDIT_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/audit",
    operation: "listAudit",
    summary: "The audit trail, oldest first",
    scopes: ["audit:read"],
    tag: "audit",
    query: ["after", "limit"],
    personal: true,
    answers: { 200: pageOf(AuditSchema) },
    handle: list,
  },
  {
    method: "GET",
    path: "/audit/check",
    operation: "checkAudit",
    summary: "Whether the whole trail holds: hashes, numbers, heads that are kept elsewhere",
    scopes: ["audit:read"],
    tag: "audit",
    answers: { 200: CheckSchema },
    handle: check,
  },
];
