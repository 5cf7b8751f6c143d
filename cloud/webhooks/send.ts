/**
 * One message to one address. The name is resolved here, once, and what it resolved to is judged before it is
 * connected to, so that no second look-up can answer otherwise (DNS rebinding); no redirect is followed; of the answer
 * only its head is read.
 */
import { type LookupAddress, type LookupAllOptions, lookup } from "node:dns";
import { request } from "node:https";
import type { LookupFunction } from "node:net";
import { type AddressRule, literalOf } from "./address.ts";
import type { Message } from "./message.ts";

export type Outcome =
  | { readonly at: "answered"; readonly status: number; readonly retryAfterMs?: number }
  | { readonly at: "failed"; readonly why: string };
/** Never rejects. */
export type Send = (url: URL, message: Message, signal: AbortSignal) => Promise<Outcome>;

/** Of the answer's status line and headers. */
const HEADER_BYTES_MAX = 16 * 1024;
const CODE = /^[A-Z][A-Z0-9_]{1,39}$/;

class Refused extends Error {
  readonly code = "ADDRESS_REFUSED";
}

/** All addresses of a name, as `dns.lookup` finds them. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: Error | null, found: LookupAddress[]) => void,
) => void;
export type SendOptions = {
  readonly rule: AddressRule;
  /** From the look-up to the head of the answer. */
  readonly answerMsMax: number;
  /** An authority to trust in place of the system's, PEM. */
  readonly ca?: string;
  readonly resolve?: Resolve;
};

export function sender({ rule, answerMsMax, ca, resolve = lookup }: SendOptions): Send {
  const pinned: LookupFunction = (hostname, options, done) => {
    const all = { ...options, all: true as const };
    resolve(hostname, all, (error, found) => {
      const first = found?.[0];
      if (error !== null || first === undefined) return done(error ?? new Refused(), "", 0);
      // One that is not public is enough: whoever runs the name could have the rest of them ignored.
      if (!found.every(({ address }) => rule(address))) return done(new Refused(), "", 0);
      if (options.all === true) handOver(done, found);
      else done(null, first.address, first.family);
    });
  };
  return (url, { headers, body }, signal) =>
    new Promise((settled) => {
      const fail = (error: unknown): void => settled({ at: "failed", why: codeOf(error) });
      const literal = literalOf(url);
      if (literal !== undefined && !rule(literal)) return fail(new Refused());
      const outgoing = request(
        url,
        {
          method: "POST",
          agent: false,
          minVersion: "TLSv1.3",
          maxHeaderSize: HEADER_BYTES_MAX,
          headers: { ...headers, "content-length": Buffer.byteLength(body) },
          lookup: pinned,
          signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
          ...(ca === undefined ? {} : { ca }),
        },
        (incoming) => {
          const retryAfterMs = secondsOf(incoming.headers["retry-after"]);
          const status = incoming.statusCode ?? 0;
          settled({
            at: "answered",
            status,
            ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          });
          incoming.on("error", () => undefined);
          incoming.destroy();
        },
      );
      // What was connected to is looked at once more, before a byte is sent.
      outgoing.on("socket", (socket) =>
        socket.once("connect", () => {
          if (!rule(socket.remoteAddress ?? "")) outgoing.destroy(new Refused());
        }),
      );
      outgoing.on("error", fail);
      outgoing.end(body);
    });
}

/** The type of the callback has no place for a list, which `all` asks for. */
function handOver(done: (...words: never[]) => void, found: readonly LookupAddress[]): void {
  Reflect.apply(done, undefined, [null, found]);
}

/** RFC 9110 § 10.2.3, of its two forms the one in seconds. */
function secondsOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined;
}

/** A code, never words that came from elsewhere. */
function codeOf(error: unknown): string {
  if (error instanceof Error) {
    if (error.name === "AbortError" || error.name === "TimeoutError") return "TIMEOUT";
    if ("code" in error && typeof error.code === "string" && CODE.test(error.code))
      return error.code;
  }
  return "FAILED";
}
