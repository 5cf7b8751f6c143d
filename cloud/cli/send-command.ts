/** `command send`: asks a car for something over the running API, as an operator's backend does. */
import { randomUUID } from "node:crypto";
import { ACTIONS, ARMED_MS_MAX, vehicleId } from "@kerbside/protocol";
import { apiCaller, CALLER_OPTIONS, IDEMPOTENCY_KEY, refused } from "./api-caller.ts";
import { type Command, type Input, UsageError } from "./command.ts";
import { asked } from "./open.ts";

const WAIT_MS_MAX = 30_000;

export const SEND_COMMANDS: readonly Command[] = [
  {
    name: "command send",
    summary: "Sends a command to a car through the API and waits for what became of it.",
    options: {
      ...CALLER_OPTIONS,
      vehicle: { value: "VEHICLE", required: true, doc: "id of the car" },
      action: { value: "ACTION", required: true, doc: `one of ${ACTIONS.join(", ")}` },
      booking: { value: "BOOKING", doc: "the booking it is for" },
      "arm-ms": { value: "MS", default: "0", doc: "how long it may wait for the car to stand" },
      target: { value: "ID", doc: "with cancel: the waiting command to take back" },
      wait: { value: "MS", default: "15000", doc: `how long to wait, up to ${WAIT_MS_MAX}` },
      key: { value: "TEXT", doc: "idempotency key: the same key never sends twice" },
    },
    run: send,
  },
];

async function send(input: Input): Promise<number> {
  const vehicle = asked(() => vehicleId(input.text("vehicle")));
  const action = input.text("action");
  if (!ACTIONS.some((name) => name === action))
    throw new UsageError(`command send: --action expects one of ${ACTIONS.join(", ")}`);
  const waitMs = input.integer("wait", 0, WAIT_MS_MAX);
  const api = await apiCaller(input);
  const [booking, target] = [input.optional("booking"), input.optional("target")];
  const armMs = input.integer("arm-ms", 0, ARMED_MS_MAX);
  const answer = await api.ask({
    method: "POST",
    path: `/vehicles/${vehicle}/commands?wait=${waitMs}`,
    headers: { [IDEMPOTENCY_KEY]: input.optional("key") ?? randomUUID() },
    body: JSON.stringify({ action, booking, target, ...(armMs === 0 ? {} : { armMs }) }),
  });
  const { body } = answer;
  const state = body["state"];
  if (typeof state !== "string") throw refused(answer);
  input.print(body, `${String(body["id"])}  ${action} ${vehicle}: ${state}${unmetOf(body)}`);
  // What was to wait and waits is what was asked for.
  return state === "executed" || (state === "armed" && armMs > 0) ? 0 : 1;
}

/** The conditions that were not met, in the car's words. */
function unmetOf({ result }: Readonly<Record<string, unknown>>): string {
  const unmet = isRecord(result) ? result["unmet"] : undefined;
  const words = (Array.isArray(unmet) ? unmet : []).flatMap((condition: unknown) =>
    isRecord(condition) && typeof condition["words"] === "string" ? condition["words"] : [],
  );
  return words.length === 0 ? "" : ` (${words.join("; ")})`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
