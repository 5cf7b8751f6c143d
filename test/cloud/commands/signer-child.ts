/** The real signer in a process of its own, for the tests: its options come as one JSON argument. */
import { readFileSync } from "node:fs";
import { BUCKET_MS_MAX, runSigner } from "@kerbside/commands";
import { systemClock } from "@kerbside/protocol";
import { openRateFile, openSignerTenants } from "@kerbside/tenants";
import { type JWK, jwtVerify } from "jose";
import { tokenVerifierOf } from "./tokens.ts";

type Options = {
  readonly dir: string;
  readonly socket: string;
  readonly signerKey: string;
  readonly jwk: JWK;
  /** The ledger of rates as a file; without it, no rate that a test meets. */
  readonly rateFile?: string;
};
const options: Options = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
const tenants = await openSignerTenants({
  dir: options.dir,
  signerKey: Buffer.from(options.signerKey, "hex"),
});
const note = (event: string): void => {
  process.stderr.write(`${event}\n`);
};
// The tests ask far more of one car than anybody may; the limits have tests of their own.
const plenty = { perS: 1000, burst: 1000 };
const { rateFile } = options;
const limits =
  rateFile === undefined
    ? { rates: { vehicle: plenty, tenant: plenty } }
    : { ledger: openRateFile(rateFile, BUCKET_MS_MAX) };
const signer = await runSigner({
  ...limits,
  socket: options.socket,
  tenant: tenants.tenant,
  verifyToken: tokenVerifierOf((token, checks) => jwtVerify(token, options.jwk, checks)),
  clock: systemClock(() => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000),
  log: { info: note, warn: note, error: note },
});
process.stdout.write("ready\n");
process.once("SIGTERM", () => {
  signer
    .close()
    .then(() => tenants.close())
    .catch((error: unknown) => note(String(error)));
});
