/** Commands: asked once, followed to their end, and shown as they are. */
import { type CommandRecord, ProtocolError, sha256, toHex, utf8 } from "@kerbside/protocol";
import { isFinal } from "../life-cycle.ts";
import { isErrorCode } from "../signer/wire.ts";
import { problem, sendProblem } from "./problem.ts";
import { type Answer, type Call, limitOf, type Route, vehicleParam, waitOf } from "./route.ts";
import { type CommandBody, CommandBodySchema, CommandSchema, pageOf } from "./schemas.ts";
import { commandView } from "./views.ts";

const COMMAND_ID = /^[0-9a-f]{32}$/;

/**
 * 200 with the car's own answer, or with `unknown`; 202 while it is under way; a problem where it failed for certain,
 * which names the command that records it.
 */
function answerOf(call: Call, record: CommandRecord, why: string | undefined): Answer {
  const location = `/v1/tenants/${call.caller.tenant}/commands/${record.id}`;
  if (record.state === "failed") {
    const { error = "unavailable" } = record;
    const code = isErrorCode(error) ? error : "unavailable";
    const detail = why === undefined ? {} : { detail: why };
    sendProblem(call.reply, problem(code, { command: record.id, ...detail }));
    return "taken";
  }
  return { status: isFinal(record.state) ? 200 : 202, body: commandView(record), location };
}

async function ask(call: Call): Promise<Answer> {
  const waitMs = waitOf(call.query);
  const vehicle = vehicleParam(call);
  // By the row's schema.
  const { action, booking, ...extras } = call.body as CommandBody;
  const { wakeMs = null, armMs = null, target = null } = extras;
  const asked = [vehicle, action, booking ?? null, wakeMs, armMs, target];
  const digest = toHex(sha256(utf8(JSON.stringify(asked))));
  const { record, why } = await call.parts.commands.ask(call.caller, {
    vehicle,
    action,
    ...(booking === undefined ? {} : { booking }),
    ...extras,
    idempotencyKey: call.idempotencyKey,
    digest,
    from: call.from,
    awaited: waitMs > 0,
  });
  if (waitMs === 0 || isFinal(record.state)) return answerOf(call, record, why);
  const { tenant } = call.caller;
  const later = await call.parts.commands.wait(tenant, record.id, waitMs, call.signal);
  return answerOf(call, later, undefined);
}

async function cancel(call: Call): Promise<Answer> {
  const { tenant, subject } = call.caller;
  const record = await call.parts.commands.cancel(tenant, commandParam(call), subject);
  return { status: 200, body: commandView(record) };
}

function commandParam(call: Call): string {
  const id = call.params["command"] ?? "";
  if (!COMMAND_ID.test(id)) throw new ProtocolError("not_found", "command: there is none such");
  return id;
}

async function show(call: Call): Promise<Answer> {
  const waitMs = waitOf(call.query);
  const id = commandParam(call);
  const record = await call.parts.commands.wait(call.caller.tenant, id, waitMs, call.signal);
  return { status: 200, body: commandView(record) };
}

async function list(call: Call): Promise<Answer> {
  const vehicle = vehicleParam(call);
  if ((await call.store.vehicle(vehicle)) === undefined) {
    throw new ProtocolError("not_found", "vehicle: there is none such");
  }
  const records = await call.store.commands(vehicle, limitOf(call.query));
  return { status: 200, body: { items: records.map(commandView) } };
}

export const COMMAND_ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/vehicles/:vehicle/commands",
    operation: "askCommand",
    summary: "Ask a car for something: now or never, and once for an Idempotency-Key",
    scopes: ["commands:write", "commands:operate"],
    tag: "commands",
    query: ["wait"],
    body: CommandBodySchema,
    once: true,
    answers: { 200: CommandSchema, 202: CommandSchema },
    handle: ask,
  },
  {
    method: "GET",
    path: "/vehicles/:vehicle/commands",
    operation: "listCommands",
    summary: "The newest commands of a car",
    scopes: ["commands:read"],
    tag: "commands",
    query: ["limit"],
    answers: { 200: pageOf(CommandSchema) },
    handle: list,
  },
  {
    method: "GET",
    path: "/commands/:command",
    operation: "getCommand",
    summary: "One command as it stands, or, with `wait`, as soon as it has ended",
    scopes: ["commands:read"],
    tag: "commands",
    query: ["wait"],
    answers: { 200: CommandSchema },
    handle: show,
  },
  {
    method: "POST",
    path: "/commands/:command/cancel",
    operation: "cancelCommand",
    summary: "Take back a command that was not signed yet",
    scopes: ["commands:write", "commands:operate"],
    tag: "commands",
    answers: { 200: CommandSchema },
    handle: cancel,
  },
];
