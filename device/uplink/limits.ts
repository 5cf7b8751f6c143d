/** Every bound of the uplink, with what happens when it is reached. */
export type UplinkLimits = {
  /** Segments sent and not yet acknowledged by the store. No more is sent until one is. */
  readonly windowSegments: number;
  /** Beyond the window, for `critical` alone: a backlog under way does not stand in its way. */
  readonly windowCriticalSegments: number;
  /** How long an acknowledgement may take after sending, in milliseconds. The segment is then sent again, later. */
  readonly ackTimeoutMs: number;
  /** A segment that stays without acknowledgement waits twice as long each time, up to this, in milliseconds. */
  readonly resendMsMax: number;
  /**
   * Where a whole window stays without acknowledgement, one segment at a time asks whether the store is back, after a rest
   * that doubles from `ackTimeoutMs` up to this, in milliseconds.
   */
  readonly probeMsMax: number;
  /** How long the broker may take to answer a message, in milliseconds. The connection is then given up. */
  readonly publishTimeoutMs: number;
  /** The first and the longest pause before connecting again, in milliseconds; the actual one is random below it. */
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /** A connection that lasted this long starts the back-off anew, in milliseconds. */
  readonly stableMs: number;
  /** How long connecting may take, in milliseconds. */
  readonly connectMsMax: number;
  /** How often it is looked whether the time is to be asked for anew on a connection that lasts, in milliseconds. */
  readonly timeLookMs: number;
  /** Results that wait to be sent; the oldest gives way (the car's journal has them all). */
  readonly resultsMax: number;
};

export const UPLINK_LIMITS: UplinkLimits = {
  windowSegments: 16,
  windowCriticalSegments: 4,
  ackTimeoutMs: 20_000,
  resendMsMax: 600_000,
  probeMsMax: 60_000,
  publishTimeoutMs: 30_000,
  backoffMsMin: 500,
  backoffMsMax: 60_000,
  stableMs: 30_000,
  connectMsMax: 20_000,
  timeLookMs: 600_000,
  resultsMax: 64,
};
