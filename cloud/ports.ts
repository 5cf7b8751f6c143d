/** What the services of one machine agree on before any of them is up. */
import { createServer } from "node:net";
import { uptime } from "node:os";
import { join, relative } from "node:path";
import { type Clock, systemClock } from "@kerbside/protocol";

export const HTTPS_PORT_DEFAULT = 8443;
export const BROKER_PORT_DEFAULT = 8883;
/** Whom access tokens are for. */
export const TOKEN_AUDIENCE = "kerbside";
/** What fits into the address of a Unix socket (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

/** The signer's socket, relative to the working directory where the whole path is too long. */
export function signerSocket(dir: string): string {
  return socketIn(dir, "signer.sock");
}

/** The token issuer's, likewise. */
export function issuerSocket(dir: string): string {
  return socketIn(dir, "issuer.sock");
}

function socketIn(dir: string, name: string): string {
  const path = join(dir, name);
  return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX ? path : relative(process.cwd(), path);
}

/** The embedded issuer's name in tokens. */
export function issuerName(httpsPort: number, host: string): string {
  return `https://${host}:${httpsPort}`;
}

/** `port`, or for 0 one that is free at this moment. */
export async function concretePort(port: number, host: string): Promise<number> {
  if (port !== 0) return port;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, host, resolve);
  });
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** os.uptime counts suspend, as CLOCK_BOOTTIME does. */
export function serviceClock(): Clock {
  return systemClock(() => uptime() * 1000);
}
