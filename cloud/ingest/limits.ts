/** What ingest may hold and do, with what happens at each bound. Nothing of it loses a segment: the car keeps its own. */
export type IngestLimits = {
  /** Segments in one transaction; more wait for the next. */
  readonly batchSegmentsMax: number;
  /** Events in one transaction, unless one segment alone has more: some 100 ms of the thread. */
  readonly batchEventsMax: number;
  /** Messages of one tenant that are worked on at once; more wait, its cars in turns, and no other tenant for them. */
  readonly tenantUnderWayMax: number;
  /** Logs whose keys are remembered; the longest unused is forgotten and read from the store again. */
  readonly logsMax: number;
  /** Messages that wait for the opening of their log, of one log and altogether; the oldest gives way unacknowledged. */
  readonly heldPerLogMax: number;
  readonly heldMax: number;
  /** Steps of a ratchet from its start; a segment beyond cannot be read. 10 µs a step, taken in pieces. */
  readonly ratchetMax: number;
  /** Messages of one car that go to quarantine: this many at once, then one more each `quarantineEveryMs`. */
  readonly quarantineBurst: number;
  readonly quarantineEveryMs: number;
  /** Cars for which that is remembered. */
  readonly vehiclesMax: number;
};

export const INGEST_LIMITS: IngestLimits = {
  batchSegmentsMax: 256,
  batchEventsMax: 16_384,
  tenantUnderWayMax: 1_024,
  logsMax: 2_000,
  heldPerLogMax: 16,
  heldMax: 1_024,
  ratchetMax: 1_048_576,
  quarantineBurst: 32,
  quarantineEveryMs: 60_000,
  vehiclesMax: 10_000,
};
