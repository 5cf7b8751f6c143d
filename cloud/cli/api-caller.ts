/** Commands that call the running API as an operator's own staff: the words they share, and how they sign in. */
import { join } from "node:path";
import { ProtocolError, type TenantId, tenantId } from "@kerbside/protocol";
import { readIfThere } from "@kerbside/tenants";
import { dataDirectory } from "../config.ts";
import { HTTPS_PORT_DEFAULT } from "../ports.ts";
import { type ApiAnswer, type ApiAsk, callApi, signIn } from "./api-client.ts";
import {
  DATA_OPTION,
  type Input,
  JSON_OPTION,
  type Option,
  TENANT_OPTION,
  UsageError,
} from "./command.ts";
import { asked } from "./open.ts";
import { type RequestKey, requestKeyIn, signatureHeaders } from "./request-signing.ts";

export const CALLER_OPTIONS: Readonly<Record<string, Option>> = {
  data: DATA_OPTION,
  json: JSON_OPTION,
  tenant: TENANT_OPTION,
  url: {
    value: "URL",
    default: `https://localhost:${HTTPS_PORT_DEFAULT}`,
    doc: "where the API is",
  },
  ca: { value: "FILE", doc: "authority to trust, PEM (default DIR/tls/ca.pem)" },
  client: { value: "ID", doc: "OAuth client (default TENANT-operator)" },
  "secret-file": { value: "FILE", doc: "its secret (default DIR/secrets/client-ID)" },
  "request-key": { value: "FILE", doc: "private key (PEM) that signs what is asked (RFC 9421)" },
  "key-id": { value: "ID", doc: "what request-key add called it" },
};

/** As callers here write it: it is among what is signed. */
export const IDEMPOTENCY_KEY = "idempotency-key";

export type ApiCaller = {
  readonly tenant: TenantId;
  /** `path` is under the tenant's own. */
  readonly ask: (ask: ApiAsk) => Promise<ApiAnswer>;
};

/** Signs in. Rejects with UsageError, or ProtocolError where a file or the API says no. */
export async function apiCaller(input: Input): Promise<ApiCaller> {
  const dir = dataDirectory(input.text("data"));
  const tenant = asked(() => tenantId(input.text("tenant")));
  const base = URL.parse(input.text("url"));
  if (base?.protocol !== "https:") throw new UsageError("--url expects https://…");
  const ca = readText(input.optional("ca") ?? join(dir, "tls", "ca.pem"));
  const client = input.optional("client") ?? `${tenant}-operator`;
  const secretFile = input.optional("secret-file") ?? join(dir, "secrets", `client-${client}`);
  const key = requestKeyOf(input);
  const token = await signIn(base, ca, { id: client, secret: readText(secretFile).trim() });
  return {
    tenant,
    ask: ({ path, headers, ...rest }) => {
      const full = `/v1/tenants/${tenant}${path}`;
      const part = {
        ...rest,
        url: new URL(full, base),
        idempotencyKey: headers?.[IDEMPOTENCY_KEY],
      };
      return callApi(base, ca, {
        ...rest,
        path: full,
        headers: {
          authorization: `Bearer ${token}`,
          ...(rest.body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
          ...(key === undefined ? {} : signatureHeaders(key, part)),
        },
      });
    },
  };
}

function requestKeyOf(input: Input): RequestKey | undefined {
  const [file, id] = [input.optional("request-key"), input.optional("key-id")];
  if (file === undefined && id === undefined) return undefined;
  if (file === undefined || id === undefined)
    throw new UsageError("--request-key and --key-id go together");
  return { key: requestKeyIn(readText(file), file), id };
}

/** What the API says is wrong, as an error of this command. */
export function refused({ status, body }: ApiAnswer): ProtocolError {
  const words = [body["title"], body["detail"]].filter((part) => typeof part === "string");
  return new ProtocolError("refused", `the API answered ${status} ${words.join(": ")}`.trim());
}

function readText(file: string): string {
  const content = readIfThere(file);
  if (content === undefined) throw new ProtocolError("not_found", `${file}: there is no such file`);
  return Buffer.from(content).toString("utf8");
}
