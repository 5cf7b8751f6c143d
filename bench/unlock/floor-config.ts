/** What the floor's processes are told by the benchmark that starts them. */
import type { TokenVerifierOptions } from "@kerbside/identity";

export type FloorConfig = {
  readonly dir: string;
  /** Hexadecimal. */
  readonly seed: string;
  readonly tokens: {
    readonly issuer: string;
    readonly audience: string;
    readonly keys: Extract<TokenVerifierOptions["keys"], { keys: unknown }>;
  };
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
  /** The agent's data directory, for the car's identity. */
  readonly carDir: string;
  readonly brokerPort: number;
  /** As `kerbside-cloud serve --broker` reads it; without it the embedded broker is started. */
  readonly outside?: string | undefined;
};

/** From the first word of the command line. */
export function readConfig(): FloorConfig {
  const value: FloorConfig = JSON.parse(process.argv[2] ?? "{}");
  return value;
}
