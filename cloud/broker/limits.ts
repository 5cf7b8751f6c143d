/** What one broker, one address and one car may cost. Reaching a bound never loses a message that was acknowledged. */
export type BrokerLimits = {
  /** Connections at once, of all cars; more are closed before TLS. One idle car costs about 68 KB. */
  readonly connectionsMax: number;
  /** Connections at once that are not accepted yet; more are closed before TLS. */
  readonly unacceptedMax: number;
  /** From the TCP connection to the TLS handshake's end, and from there to an accepted CONNECT, each in ms. */
  readonly acceptMsMax: number;
  /** Refused connections of one network address: this many at once, then one more each `refusalEveryMs` (P-63). */
  readonly refusalsMax: number;
  readonly refusalEveryMs: number;
  /** Network addresses remembered for it; the longest unseen is forgotten first. */
  readonly addressesMax: number;
  /** Keep-alive that a CONNECT must name, in seconds: from 1 to this. */
  readonly keepaliveSMax: number;
  /** Connections of one car: this many at once, then one more each `connectEveryMs`; two copies of a car would take turns. */
  readonly connectsBurst: number;
  readonly connectEveryMs: number;
  /** Cars whose rates are remembered while they are away; the longest unseen is forgotten first. */
  readonly carsMax: number;
  /** Messages and bytes of one connection that the handler has not answered yet; more is left in the socket. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** What a car may send each second, and as a burst, over all its connections; what is above it waits in the socket. */
  readonly messagesPerS: number;
  readonly messagesBurst: number;
  readonly bytesPerS: number;
  readonly bytesBurst: number;
  /** Bytes to a car that its socket has not taken yet; beyond it nothing more is sent to it. */
  readonly unsentBytesMax: number;
  /** How long a car may take nothing of what is sent to it before it is disconnected, in ms. */
  readonly drainMsMax: number;
  /** How often `gone` is handed over again after the handler failed, and the first pause in ms (doubling). */
  readonly goneAttemptsMax: number;
  readonly goneRetryMs: number;
};

export const BROKER_LIMITS: BrokerLimits = {
  connectionsMax: 20_000,
  unacceptedMax: 1_000,
  acceptMsMax: 10_000,
  refusalsMax: 60,
  refusalEveryMs: 1_000,
  addressesMax: 10_000,
  keepaliveSMax: 1_200,
  connectsBurst: 20,
  connectEveryMs: 3_000,
  carsMax: 40_000,
  inflightMessagesMax: 64,
  inflightBytesMax: 1024 * 1024,
  messagesPerS: 500,
  messagesBurst: 2_000,
  bytesPerS: 4 * 1024 * 1024,
  bytesBurst: 16 * 1024 * 1024,
  unsentBytesMax: 512 * 1024,
  drainMsMax: 15_000,
  goneAttemptsMax: 6,
  goneRetryMs: 250,
};
