/**
 * TLS 1.3 to a server, whose certificates are judged by the time that the car trusts and not by the machine's clock: a
 * module that boots in 1970 would else reach nobody who could tell it the time, and one whose clock somebody set back
 * would take what has long run out. All else is asked as ever: the chain to a pinned authority, the name, the purpose.
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { ProtocolError } from "@kerbside/protocol";

/** Whether a certificate's life covers now, as far as the car can tell. */
export type JudgeLife = (life: {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}) => "valid" | "expired" | "not_yet";

export type ServerOptions = {
  readonly host: string;
  readonly port: number;
  /** PEM: who may vouch for the server, and what the car shows. */
  readonly tls: { readonly ca: string; readonly cert?: string; readonly key?: string };
  /** Left out, the machine's clock judges. */
  readonly judge?: JudgeLife | undefined;
  readonly signal?: AbortSignal;
};

/** A server's certificate, at most so many authorities between, and the pinned one. */
const CHAIN_MAX = 4;
/** RFC 5280 section 4.2.1.12: id-kp-serverAuth. */
const SERVER_PURPOSE = "1.3.6.1.5.5.7.3.1";
/** What OpenSSL says where all is well but the machine's clock. */
const CLOCK_ERRORS: ReadonlySet<string> = new Set(["CERT_NOT_YET_VALID", "CERT_HAS_EXPIRED"]);

/**
 * Connects and checks who answers, before a byte of ours is sent. Rejects with ProtocolError `unavailable`, in words
 * that name what is wrong with the server and no more of its certificate.
 */
export function openServer(options: ServerOptions): Promise<TLSSocket> {
  const { host, port, tls, judge, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      ...tls,
      minVersion: "TLSv1.3",
      // Judged below, where this car has a better clock than the machine.
      rejectUnauthorized: judge === undefined,
      // A name is asked for where there is one; an address is checked against the certificate as it is.
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    socket.setNoDelay(true);
    const settle = (): void => {
      socket.off("error", failed);
      socket.off("close", ended);
      signal?.removeEventListener("abort", aborted);
    };
    const fail = (reason: string): void => {
      settle();
      // A socket that ends may still complain.
      socket.on("error", () => undefined);
      socket.destroy();
      reject(new ProtocolError("unavailable", `server: ${reason}`));
    };
    const failed = (error: Error): void =>
      fail("code" in error && typeof error.code === "string" ? error.code : error.message);
    const ended = (): void => fail("the connection was closed");
    const aborted = (): void => fail(String(signal?.reason ?? "stopped"));
    socket.on("error", failed);
    socket.on("close", ended);
    signal?.addEventListener("abort", aborted, { once: true });
    if (signal?.aborted === true) return aborted();
    socket.once("secureConnect", () => {
      const reason = judge === undefined ? undefined : against(socket, { host, ca: tls.ca, judge });
      if (reason !== undefined) return fail(reason);
      settle();
      resolve(socket);
    });
  });
}

type Asked = { readonly host: string; readonly ca: string; readonly judge: JudgeLife };

/** What stands against the server that answered, if anything does. */
function against(socket: TLSSocket, asked: Asked): string | undefined {
  const { authorized, authorizationError } = socket;
  const said = String(authorizationError);
  if (!authorized && !CLOCK_ERRORS.has(said)) return said;
  return againstChain(presented(socket.getPeerCertificate(true)), asked);
}

/** The server's own certificate first, then what it sent along. */
function presented(peer: DetailedPeerCertificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at: DetailedPeerCertificate | undefined = peer;
  while (at?.raw !== undefined && chain.length <= CHAIN_MAX) {
    chain.push(new X509Certificate(at.raw));
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return chain;
}

/** Pure, but for what `judge` knows of the time. */
export function againstChain(
  chain: readonly X509Certificate[],
  { host, ca, judge }: Asked,
): string | undefined {
  const [server, ...others] = chain;
  if (server === undefined) return "shows no certificate";
  const named = isIP(host) === 0 ? server.checkHost(host) : server.checkIP(host);
  if (named === undefined) return "its certificate is for another name";
  // Absent, it is for any purpose; a car's own certificate says that it is not for servers.
  if (server.keyUsage?.includes(SERVER_PURPOSE) === false)
    return "its certificate is not a server's";
  const anchors = anchorsOf(ca);
  let current = server;
  for (let depth = 0; depth < CHAIN_MAX; depth += 1) {
    const life = againstLife(current, judge);
    if (life !== undefined) return life;
    const issued = (by: X509Certificate): boolean =>
      current.checkIssued(by) && current.verify(by.publicKey);
    const anchor = anchors.find(issued);
    if (anchor !== undefined) return againstLife(anchor, judge);
    const next = others.find((other) => other !== current && other.ca && issued(other));
    if (next === undefined) return "nobody that is trusted vouches for its certificate";
    current = next;
  }
  return "too many authorities vouch for its certificate";
}

function anchorsOf(pem: string): readonly X509Certificate[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return found.map((one) => new X509Certificate(one));
}

const LIFE_WORDS = {
  expired: "its certificate, or one above it, has run out",
  not_yet: "its certificate, or one above it, is not valid yet",
} as const;

function againstLife(
  { validFromDate, validToDate }: X509Certificate,
  judge: JudgeLife,
): string | undefined {
  const notBeforeMs = validFromDate.getTime();
  const notAfterMs = validToDate.getTime();
  const verdict = judge({ notBeforeMs, notAfterMs });
  return verdict === "valid" ? undefined : LIFE_WORDS[verdict];
}
