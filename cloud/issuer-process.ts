/**
 * The token issuer as a service: its own key and vault, the table of clients, and a Unix socket on which it speaks HTTP
 * with the node, which is its proxy. No port of any kind, and no other service's secret.
 */
import { createServer } from "node:http";
import { listenPrivately } from "@kerbside/commands";
import { type SendMail, type SmtpOptions, smtpMail } from "@kerbside/identity";
import { ProtocolError, type Role } from "@kerbside/protocol";
import { openIssuerTenants } from "@kerbside/tenants";
import { type IssuerParts, openEmbeddedIssuer } from "./issuer-keys.ts";
import { serviceLog } from "./log.ts";
import { peopleOptions, resetsOf } from "./people.ts";
import { issuerSocket, serviceClock } from "./ports.ts";

/** A request must have arrived whole within this. */
const REQUEST_MS_MAX = 15_000;
const HEADER_BYTES_MAX: number = 16 * 1024;
const CONNECTIONS_MAX = 256;

export type RunningIssuer = { readonly close: () => Promise<void> };

export type IssuerProcessOptions = Pick<IssuerParts, "dir" | "issuerKey" | "issuer"> & {
  /** Where mail goes out; without it nobody gets a new password by themselves. */
  readonly smtp?: SmtpOptions;
  readonly resetMs?: number;
  readonly secondFactor: ReadonlySet<Role>;
  /** Of the tenants that are served here (P-14). */
  readonly regions: ReadonlySet<string>;
};

/** Links are then made at the command line, and carried to the person by hand. */
const noMail: SendMail = () =>
  Promise.reject(new ProtocolError("unavailable", "mail: there is no server for it"));

/** Rejects with ProtocolError where its key was never made, or the data directory is not one of a cloud. */
export async function startIssuer(options: IssuerProcessOptions): Promise<RunningIssuer> {
  const { dir, issuerKey, issuer: name, smtp, resetMs, secondFactor } = options;
  const clock = serviceClock();
  const log = serviceLog("issuer");
  const tenants = await openIssuerTenants({ dir, issuerKey, regions: options.regions });
  const parts = { tenants, issuerKey, clock };
  const send = smtp === undefined ? noMail : smtpMail(smtp);
  const resets = resetsOf(parts, name, send, resetMs);
  const people = peopleOptions(parts, name, resets, { mails: smtp !== undefined, secondFactor });
  const issuer = await openEmbeddedIssuer(
    { dir, issuerKey, issuer: name, people, clock, log },
    "read",
  );
  const server = createServer(
    { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS_MAX, noDelay: true },
    issuer.handler,
  );
  server.maxConnections = CONNECTIONS_MAX;
  await listenPrivately(server, issuerSocket(options.dir), "issuer");
  return {
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
      issuer.close();
      await tenants.close();
    },
  };
}
