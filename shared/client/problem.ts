/** What may go wrong: the API says what, or nothing is known. */

/** Problem details (RFC 9457), with the code of the API's table of errors and the two answers a retry needs. */
export class Problem extends Error {
  override readonly name = "Problem";
  /** Of HTTP. */
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** It may have happened all the same: do not just ask again. */
  readonly mayHaveSucceeded: boolean;
  /** Asking again later is worth while. */
  readonly temporary: boolean;
  /** The command that failed, where one was recorded. */
  readonly command: string | undefined;
  /** What the API wants to be waited for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  private constructor(status: number, fields: Fields, changes: boolean, retryAfterMs?: number) {
    const { title, detail, code, mayHaveSucceeded, temporary, command } = fields;
    const words = typeof title === "string" ? title : `answered ${status}`;
    super(typeof detail === "string" ? detail : words);
    this.status = status;
    this.title = words;
    this.code = typeof code === "string" ? code : "unavailable";
    this.mayHaveSucceeded = typeof mayHaveSucceeded === "boolean" ? mayHaveSucceeded : changes;
    this.temporary = typeof temporary === "boolean" ? temporary : status >= 500;
    this.command = typeof command === "string" ? command : undefined;
    this.retryAfterMs = retryAfterMs;
  }

  /** Where the body is none of ours (a gateway's, say), nothing good is assumed of what `changes` something. */
  static async of(reply: Response, changes: boolean): Promise<Problem> {
    const body: unknown = await reply.json().catch(() => undefined);
    const seconds = /^\d{1,6}$/.exec(reply.headers.get("retry-after") ?? "")?.[0];
    const retryAfterMs = seconds === undefined ? undefined : Number(seconds) * 1000;
    const fields = typeof body === "object" && body !== null ? { ...body } : {};
    return new Problem(reply.status, fields, changes, retryAfterMs);
  }
}

type Fields = Readonly<
  Partial<
    Record<"title" | "detail" | "code" | "mayHaveSucceeded" | "temporary" | "command", unknown>
  >
>;

/** The connection could not be had, or broke before the answer was there. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
  /** It asked for a change, which may have been made. */
  readonly mayHaveSucceeded: boolean;
  /** The key that it was asked with: asking again with it never does a thing twice. */
  readonly idempotencyKey: string | undefined;

  constructor(cause: unknown, changes: boolean, idempotencyKey: string | undefined) {
    super(cause instanceof Error ? cause.message : "no answer", { cause });
    this.mayHaveSucceeded = changes;
    this.idempotencyKey = idempotencyKey;
  }
}
