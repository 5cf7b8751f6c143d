/**
 * Trusted time: what the car knows of the time of day, and how far that may be off. Only an answer of the cloud that is
 * signed and bound to a fresh nonce moves it; satellites and network clocks narrow its doubt and cannot jump it; the
 * platform's own wall clock is never believed. It decides and remembers; who asks, and where it is kept, is others'.
 */
export { type CertificateLife, type CertificateVerdict, judgeCertificate } from "./certificates.ts";
export { type FloorFile, type TimeDeskOptions, type TimeTaken, TrustedTime } from "./desk.ts";
export {
  DRIFT_PARTS_PER_MILLION,
  hinted,
  type Interval,
  intervalAt,
  type Known,
  NOTHING_KNOWN,
  readTime,
  type SignedMoment,
  signed,
  type TimeReading,
  type TimeStep,
} from "./interval.ts";
