/**
 * Whether a certificate's life covers now, as far as the car can tell. A car that does not know the time can still say
 * that a certificate ended before the floor; that one has not begun it cannot say, and lets the cloud supply the time.
 */
import type { TimeReading } from "./interval.ts";

export type CertificateLife = { readonly notBeforeMs: number; readonly notAfterMs: number };
export type CertificateVerdict = "valid" | "expired" | "not_yet";

/** The doubt of the time counts for the certificate: it is refused only where it is certainly out of its life. */
export function judgeCertificate(life: CertificateLife, time: TimeReading): CertificateVerdict {
  if (time.value === "unknown") return life.notAfterMs < time.floorMs ? "expired" : "valid";
  if (life.notAfterMs < time.wallMs - time.doubtMs) return "expired";
  return life.notBeforeMs > time.wallMs + time.doubtMs ? "not_yet" : "valid";
}
