/** What the generated types are made of. */

/** An object in which there is nothing. */
export type Nothing = Readonly<Record<never, never>>;

/** A file that is sent as it is. */
export type Content = Blob | Uint8Array<ArrayBuffer>;

/** Part of a list; `next` is the cursor of the rest, where there is any. */
export type Page<T> = { readonly items: readonly T[]; readonly next?: string };

/** How an operation is called. */
export type OperationRow = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** With places in braces. */
  readonly path: string;
  /** It takes an Idempotency-Key: the same key asks for the same thing only once. */
  readonly once?: true;
  /** It takes a body of JSON. */
  readonly json?: true;
};
