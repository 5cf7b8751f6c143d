/**
 * From a car's message to its tenant's store: verify the signature under the key enrolled for that car, open with the
 * tenant's key, validate against the schema, store exactly once, and only then acknowledge to the car. It keeps no
 * state that a restart would miss: what it remembers of logs comes from the store again, and what was not acknowledged
 * comes from the car again, so any number of workers run side by side.
 *
 * What cannot be stored never stops the rest. A message that is not authentic (its signature, its body's hash, its
 * topic) goes to quarantine and is not acknowledged: whoever sent it, the car still holds what it signed. A segment that
 * is authentic and cannot be read (an event this version does not know, a row that does not open) would be sent forever:
 * it goes to quarantine whole, is then stored as a declared gap, and acknowledged. So it is lost nowhere in silence, and
 * handing the quarantined message in again, once it can be read, fills the gap. Quarantine then holds the only copy, which
 * gives way to nothing; where there is no room for it nothing is acknowledged, and the car keeps it.
 */
export {
  createIngest,
  type Ingest,
  type IngestCounts,
  type IngestOptions,
  type IngestTenant,
} from "./ingest.ts";
export { INGEST_LIMITS, type IngestLimits } from "./limits.ts";
export { type LogKeys, logKeys } from "./log-keys.ts";
export { ingestMetrics } from "./metrics.ts";
export { type BodyOrder, type Openers, openersHere, openHere } from "./opener.ts";
export { answerOrders, packOrders, unpackAnswers } from "./opener-messages.ts";
export { type ThreadOpenersOptions, threadOpeners } from "./opener-threads.ts";
export { Quarantine, type QuarantineCounts, type QuarantineOptions } from "./quarantine.ts";
export { type Redriven, redrive } from "./redrive.ts";
export {
  type AuthenticSegment,
  authenticate,
  readContent,
  type SegmentContent,
} from "./segment.ts";
