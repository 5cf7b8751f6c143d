/** `command send`: asks a car for something over the running API, as an operator's backend does. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { ACTIONS, ProtocolError, tenantId, vehicleId } from "@kerbside/protocol";
import { readIfThere } from "@kerbside/tenants";
import { dataDirectory } from "../config.ts";
import { HTTPS_PORT_DEFAULT } from "../ports.ts";
import { callApi, signIn } from "./api-client.ts";
import {
  type Command,
  DATA_OPTION,
  type Input,
  JSON_OPTION,
  TENANT_OPTION,
  UsageError,
} from "./command.ts";
import { asked } from "./open.ts";

const WAIT_MS_MAX = 30_000;

export const SEND_COMMANDS: readonly Command[] = [
  {
    name: "command send",
    summary: "Sends a command to a car through the API and waits for what became of it.",
    options: {
      data: DATA_OPTION,
      json: JSON_OPTION,
      tenant: TENANT_OPTION,
      vehicle: { value: "VEHICLE", required: true, doc: "id of the car" },
      action: { value: "ACTION", required: true, doc: `one of ${ACTIONS.join(", ")}` },
      booking: { value: "BOOKING", doc: "the booking it is for" },
      wait: { value: "MS", default: "15000", doc: `how long to wait, up to ${WAIT_MS_MAX}` },
      url: {
        value: "URL",
        default: `https://localhost:${HTTPS_PORT_DEFAULT}`,
        doc: "where the API is",
      },
      ca: { value: "FILE", doc: "authority to trust, PEM (default DIR/tls/ca.pem)" },
      client: { value: "ID", doc: "OAuth client (default TENANT-operator)" },
      "secret-file": { value: "FILE", doc: "its secret (default DIR/secrets/client-ID)" },
      key: { value: "TEXT", doc: "idempotency key: the same key never sends twice" },
    },
    run: send,
  },
];

async function send(input: Input): Promise<number> {
  const dir = dataDirectory(input.text("data"));
  const tenant = asked(() => tenantId(input.text("tenant")));
  const vehicle = asked(() => vehicleId(input.text("vehicle")));
  const action = input.text("action");
  if (!ACTIONS.some((name) => name === action))
    throw new UsageError(`command send: --action expects one of ${ACTIONS.join(", ")}`);
  const waitMs = input.integer("wait", 0, WAIT_MS_MAX);
  const base = asUrl(input.text("url"));
  const ca = readText(input.optional("ca") ?? join(dir, "tls", "ca.pem"));
  const client = input.optional("client") ?? `${tenant}-operator`;
  const secretFile = input.optional("secret-file") ?? join(dir, "secrets", `client-${client}`);
  const token = await signIn(base, ca, { id: client, secret: readText(secretFile).trim() });
  const booking = input.optional("booking");
  const { status, body } = await callApi(base, ca, {
    method: "POST",
    path: `/v1/tenants/${tenant}/vehicles/${vehicle}/commands?wait=${waitMs}`,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": input.optional("key") ?? randomUUID(),
    },
    body: JSON.stringify({ action, ...(booking === undefined ? {} : { booking }) }),
  });
  const state = body["state"];
  if (typeof state !== "string") {
    const words = [body["title"], body["detail"]].filter((part) => typeof part === "string");
    throw new ProtocolError("refused", `the API answered ${status} ${words.join(": ")}`.trim());
  }
  input.print(body, `${String(body["id"])}  ${action} ${vehicle}: ${state}${unmetOf(body)}`);
  return state === "executed" ? 0 : 1;
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

function asUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== "https:") throw new UsageError("command send: --url expects https://…");
  return url;
}

function readText(file: string): string {
  const content = readIfThere(file);
  if (content === undefined) throw new ProtocolError("not_found", `${file}: there is no such file`);
  return Buffer.from(content).toString("utf8");
}
