/** What both ends of a real line need, in one file that their processes read: keys, certificates, and where things lie. */
import { readFileSync } from "node:fs";
import { type Address, tenantId, vehicleId } from "@kerbside/protocol";

export const ADDRESS: Address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };

/** Bytes in hexadecimal, certificates and keys of TLS in PEM. */
export type Setup = {
  readonly dir: string;
  readonly masterKey: string;
  readonly ingest: { readonly publicKey: string; readonly privateKey: string };
  readonly carSeed: string;
  readonly commandSeed: string;
  readonly rootCa: string;
  readonly server: { readonly key: string; readonly cert: string };
  readonly car: {
    readonly key: string;
    readonly cert: string;
    readonly serial: string;
    readonly notAfterMs: number;
  };
};

export function readSetup(file: string): Setup {
  return JSON.parse(readFileSync(file, "utf8"));
}
