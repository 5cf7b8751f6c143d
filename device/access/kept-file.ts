/** What this part needs of the small two-copy store, which whoever composes the agent opens. */
export type KeptFile = {
  /** What was last written and is whole. */
  readonly content: Uint8Array | undefined;
  /** There was something, and it could not be read. */
  readonly damaged: boolean;
  /** Resolves when it is on the disk; after a rejection the content before it counts, or this one whole. */
  readonly write: (content: Uint8Array) => Promise<void>;
};
