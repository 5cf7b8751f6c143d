/**
 * Keeps the car's certificate alive: with a third of its life left, and at once where it has run out, the car asks for
 * another over a key that it makes for it: the request proves that it has the new key, the connection that it has the
 * old one. What comes is judged and on the disk before it is used; the cloud keeps taking the old one until it has seen
 * the new one, so an answer that is lost costs nothing.
 */
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, type Log, ProtocolError, type Random, type Timer } from "@kerbside/protocol";
import { certificateRequest, newTlsKey } from "./certificate-request.ts";
import { syncFolder, writeDurably } from "./files.ts";
import { post } from "./https-post.ts";
import {
  IDENTITY_FILE,
  type Identity,
  isRenewedKeyFile,
  parseJson,
  renewedDocument,
  storedTls,
  TLS_KEY_FILE,
} from "./identity.ts";
import type { JudgeLife } from "./server-trust.ts";

export type CertificateOptions = {
  /** Of the identity's files. */
  readonly dir: string;
  readonly identity: Pick<Identity, "address" | "tls">;
  /** Base URL of the cloud's API; `/renew` is added. */
  readonly url: string;
  /** The latest that it may be now by trusted time, or what it is certainly after; Unix time in milliseconds. */
  readonly latestMs: () => number;
  /** Whether the server's certificates are in force now. */
  readonly judge?: JudgeLife;
  readonly clock: Pick<Clock, "after" | "bootMs">;
  readonly random: Random;
  readonly log: Log;
};

export type Certificate = {
  /** For the next connection. */
  readonly tls: () => Identity["tls"];
  /**
   * A connection did not come about. Where trusted time says nothing against it, the certificate may have run out: it
   * is renewed, if that was not tried just before.
   */
  readonly doubted: () => void;
  readonly close: () => void;
};

const RENEW_AT_PART_LEFT = 1 / 3;
/** How often the time is looked at. */
const LOOK_MS = 3_600_000;
const RETRY_MS_MIN = 60_000;
const RETRY_MS_MAX = 6 * 3_600_000;
/** Of a certificate that has run out: without it nothing else gets through. */
const RETRY_EXPIRED_MS_MAX = 600_000;
const CSR_FAILED = "unavailable";

/** Looks at once, and goes on until it is closed. */
export function keepCertificate(options: CertificateOptions): Certificate {
  return new Keeper(options);
}

class Keeper implements Certificate {
  readonly #options: CertificateOptions;
  #tls: Identity["tls"];
  #timer: Timer | undefined;
  #failures = 0;
  #asking = false;
  #closed = false;
  #triedMs = Number.NEGATIVE_INFINITY;

  constructor(options: CertificateOptions) {
    this.#options = options;
    this.#tls = options.identity.tls;
    this.#look();
  }

  readonly tls = (): Identity["tls"] => this.#tls;

  readonly doubted = (): void => {
    const { clock, latestMs } = this.#options;
    const { notBeforeMs } = lifeOf(this.#tls.cert);
    // A clock that is before the certificate's own life tells nothing of its end.
    const tellsNothing = latestMs() < notBeforeMs;
    const rested = clock.bootMs() - this.#triedMs >= RETRY_EXPIRED_MS_MAX;
    if (tellsNothing && rested) void this.#renew();
  };

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #look(): void {
    if (this.#closed) return;
    const { notBeforeMs, notAfterMs } = lifeOf(this.#tls.cert);
    const dueMs = notAfterMs - (notAfterMs - notBeforeMs) * RENEW_AT_PART_LEFT;
    if (this.#options.latestMs() >= dueMs) void this.#renew();
    else this.#later(LOOK_MS);
  }

  /** Between half of it and all of it, so that cars that were enrolled together do not ask together. */
  #later(delayMs: number): void {
    const { clock, random } = this.#options;
    this.#timer?.cancel();
    const waitMs = delayMs / 2 + (random.fraction() * delayMs) / 2;
    this.#timer = clock.after(waitMs, () => this.#look());
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    if (this.#asking || this.#closed) return;
    this.#asking = true;
    const { clock, log } = this.#options;
    this.#triedMs = clock.bootMs();
    try {
      this.#tls = await renewed(this.#options, this.#tls);
      this.#failures = 0;
      log.info("certificate.renewed", { notAfterMs: lifeOf(this.#tls.cert).notAfterMs });
      if (!this.#closed) this.#later(LOOK_MS);
    } catch (error) {
      log.warn("certificate.not_renewed", { reason: reasonOf(error) });
      if (!this.#closed) this.#later(this.#restMs());
    } finally {
      this.#asking = false;
    }
  }

  #restMs(): number {
    const hasEnded = this.#options.latestMs() >= lifeOf(this.#tls.cert).notAfterMs;
    const max = hasEnded ? RETRY_EXPIRED_MS_MAX : RETRY_MS_MAX;
    const rest = Math.min(max, RETRY_MS_MIN * 2 ** Math.min(16, this.#failures));
    this.#failures += 1;
    return rest;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.message;
  return error instanceof Error && "code" in error ? String(error.code) : CSR_FAILED;
}

/** Asks, judges, keeps. Throws ProtocolError, and what the disk throws; then the old one is still in force. */
async function renewed(
  { dir, identity: { address }, url, judge: judgeLife }: CertificateOptions,
  tls: Identity["tls"],
): Promise<Identity["tls"]> {
  const kept = keptBefore(dir, tls);
  if (kept !== undefined) return kept;
  const key = newTlsKey();
  const csr = await certificateRequest(address, key);
  const answer = parseJson(
    await post({ url, path: "renew", what: "renewal", tls, body: { csr }, judge: judgeLife }),
    "renewal",
  );
  const { certificateChain, serverCa } = answer;
  if (typeof certificateChain !== "string" || typeof serverCa !== "string")
    throw new ProtocolError("malformed", "renewal: expected a certificate and an authority");
  const next = { ca: serverCa, cert: certificateChain, key };
  judge(next, tls);
  readCertificate(serverCa);
  // The key first, in a file of its own: the document, replaced as a whole, names the one that its certificate is for.
  const tlsKeyFile = `device-${randomBytes(8).toString("hex")}.key`;
  writeDurably(join(dir, tlsKeyFile), key);
  const file = join(dir, IDENTITY_FILE);
  writeDurably(file, renewedDocument(file, { certificateChain, serverCa, tlsKeyFile }));
  forgetKeys(dir, tlsKeyFile);
  return next;
}

/**
 * The one of an attempt that failed as its document was being made durable: a restart may find it. It is taken, once it is
 * durable: the cloud takes two at a time, so to ask for a third would make worthless what a restart finds.
 */
function keptBefore(dir: string, tls: Identity["tls"]): Identity["tls"] | undefined {
  const kept = laterOnDisk(dir, tls);
  if (kept !== undefined) syncFolder(dir);
  return kept;
}

function laterOnDisk(dir: string, tls: Identity["tls"]): Identity["tls"] | undefined {
  try {
    const kept = storedTls(dir);
    if (kept.cert === tls.cert) return undefined;
    judge(kept, tls);
    return kept;
  } catch {
    // Lost, or another's: one that is asked for takes its place.
    return undefined;
  }
}

/** Keys that no certificate is for any more, and those of attempts that were cut off. What fails is for the next time. */
function forgetKeys(dir: string, current: string): void {
  try {
    for (const name of readdirSync(dir))
      if (name !== current && (isRenewedKeyFile(name) || name === TLS_KEY_FILE))
        rmSync(join(dir, name), { force: true });
  } catch {
    // The certificate is renewed all the same: what a restart finds is the new one.
  }
}

/** A car that took anything else would never connect again. Throws ProtocolError `malformed`. */
function judge(renewal: Identity["tls"], tls: Identity["tls"]): void {
  const [next, now] = [readCertificate(renewal.cert), readCertificate(tls.cert)];
  const ownKey = next.checkPrivateKey(createPrivateKey(renewal.key));
  const isLater = next.validToDate.getTime() > now.validToDate.getTime();
  if (!ownKey || next.subject !== now.subject || !isLater)
    throw new ProtocolError("malformed", "renewal: the certificate is not a later one of this car");
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ProtocolError("malformed", "renewal: expected a certificate in PEM", { cause });
  }
}

function lifeOf(chain: string): { readonly notBeforeMs: number; readonly notAfterMs: number } {
  const { validFromDate, validToDate } = readCertificate(chain);
  return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() };
}
