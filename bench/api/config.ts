/** What both servers of the benchmark are told, through a file that its child processes read. */
import { readFileSync } from "node:fs";
import type { TokenVerifierOptions } from "@kerbside/identity";

export const ISSUER = "https://issuer.bench";
export const AUDIENCE = "kerbside";
export const TENANT = "demo";
export const PATH = `/v1/tenants/${TENANT}/vehicles/car-1/latest`;

export type ServerConfig = {
  /** `verifying`: ours, with the signature of the token checked on each call, as the bare route does. */
  readonly side: "ours" | "verifying" | "bare";
  readonly dir: string;
  /** Hexadecimal. */
  readonly masterKey: string;
  readonly tls: { readonly key: string; readonly cert: string };
  readonly jwks: Extract<TokenVerifierOptions["keys"], { keys: unknown }>;
  /** What the bare route answers: as long as ours. */
  readonly body: unknown;
};

export function readConfig(): ServerConfig {
  return JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
}
