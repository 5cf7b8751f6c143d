/**
 * What can go wrong between two parties, as a table. A caller has only two questions: may it have
 * happened all the same, and is it worth asking again.
 */
export const ERRORS = {
  malformed: {
    mayHaveSucceeded: false,
    temporary: false,
    words: "The bytes are not what the protocol describes.",
  },
  unauthenticated: {
    mayHaveSucceeded: false,
    temporary: false,
    words: "The signature, MAC or token does not verify.",
  },
  forbidden: { mayHaveSucceeded: false, temporary: false, words: "The caller may not do this." },
  not_found: { mayHaveSucceeded: false, temporary: false, words: "There is no such thing here." },
  conflict: {
    mayHaveSucceeded: false,
    temporary: false,
    words: "It contradicts what is already recorded.",
  },
  limit_reached: {
    mayHaveSucceeded: false,
    temporary: true,
    words: "A bound was reached; try again later.",
  },
  vehicle_offline: {
    mayHaveSucceeded: false,
    temporary: true,
    words: "The car is not connected; nothing was sent.",
  },
  stale_session: {
    mayHaveSucceeded: false,
    temporary: true,
    words: "The car has begun a new session since; ask again.",
  },
  expired: {
    mayHaveSucceeded: false,
    temporary: true,
    words: "The command reached the car too late and was not done.",
  },
  refused: {
    mayHaveSucceeded: false,
    temporary: true,
    words: "The car refused; the unmet conditions are listed.",
  },
  unknown_outcome: {
    mayHaveSucceeded: true,
    temporary: false,
    words: "It was sent, and nobody knows yet whether it was done.",
  },
  storage_failed: {
    mayHaveSucceeded: true,
    temporary: true,
    words: "The store did not confirm the write.",
  },
  unavailable: {
    mayHaveSucceeded: false,
    temporary: true,
    words: "A part that is needed does not answer.",
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorRow = {
  readonly mayHaveSucceeded: boolean;
  readonly temporary: boolean;
  readonly words: string;
};
export type ErrorCode = keyof typeof ERRORS;

/** An operating error. `detail` names what, where and what was expected; never personal data, never a secret. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ErrorCode;
  readonly mayHaveSucceeded: boolean;
  readonly temporary: boolean;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
    this.mayHaveSucceeded = ERRORS[code].mayHaveSucceeded;
    this.temporary = ERRORS[code].temporary;
  }
}
