/** Why a connection is refused or ended. Counted one by one (P-53); never shown to the other side. */
export const REFUSALS = [
  "tls",
  "too_many_connections",
  "too_many_refusals",
  "blocked",
  "accept_timeout",
  "packet_type",
  "packet_length",
  "packet_flags",
  "client_id",
  "clean_session",
  "keepalive",
  "will",
  "protocol_version",
  "certificate",
  "identity",
  "connect_rate",
  "topic",
  "payload_length",
  "handler",
  "certificate_expired",
  "disconnected",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** What an aedes hook is answered with. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(`refused: ${refusal}`, options);
    this.refusal = refusal;
  }
}
