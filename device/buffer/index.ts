/**
 * The car's encrypted store-and-forward. Events go in, each durable in its lane's time; signed segments come out, and
 * are forgotten only on an authenticated acknowledgement. Each opening starts a new log with a random root that only
 * the tenant can unseal, so the car cannot read its own past, and neither can who steals it.
 */
export { openBuffer } from "./buffer.ts";
export { type BufferIo, type ExitCode, runBuffer } from "./cli.ts";
export type { Appended, Buffer, BufferOptions, BufferStatus } from "./contract.ts";
export type { AckOutcome } from "./forget.ts";
export { inspectBuffer, type LaneReport } from "./inspect.ts";
export { BUFFER_LIMITS, type BufferLimits } from "./limits.ts";
export type { IngestKey } from "./log-start.ts";
export type { NextOptions, OutgoingSegment } from "./outgoing.ts";
export type { BufferIdentity } from "./throw-away.ts";
