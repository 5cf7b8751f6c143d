/**
 * Errors as RFC 9457 problem details: a code of the one table of errors, and the two things a caller must know:
 * whether it may have happened all the same, and whether asking again is worth while.
 */
import { ERRORS, type ErrorCode, ProtocolError } from "@kerbside/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type TSchema, Type } from "typebox";

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** The HTTP status of each code. `vehicle_offline` and the like are states of the car, not failures of the server. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  malformed: 400,
  // Of a booking or a session in the store. A token that does not verify is answered 401 at the gate.
  unauthenticated: 409,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  limit_reached: 429,
  vehicle_offline: 409,
  stale_session: 409,
  expired: 409,
  refused: 409,
  unknown_outcome: 409,
  storage_failed: 503,
  unavailable: 503,
};

/** A problem as it is answered. */
export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly code: string;
  readonly mayHaveSucceeded: boolean;
  readonly temporary: boolean;
  readonly command?: string;
};

const about = (description: string): { description: string } => ({ description });
export const ProblemSchema: TSchema = Type.Object(
  {
    type: Type.String(about("about:blank: the code says it all")),
    title: Type.String(about("the code in words")),
    status: Type.Integer(about("the HTTP status")),
    detail: Type.Optional(Type.String(about("what, where, and what was expected"))),
    code: Type.String(about(`one of ${Object.keys(ERRORS).join(", ")}`)),
    mayHaveSucceeded: Type.Boolean(about("it may have happened all the same: do not just retry")),
    temporary: Type.Boolean(about("asking again later is worth while")),
    command: Type.Optional(Type.String(about("the command that failed, where one was recorded"))),
  },
  { additionalProperties: false },
);

/** The answer that any call may get, as the API's description has it. */
export const PROBLEM_ANSWER: {
  readonly description: string;
  readonly content: { readonly "application/problem+json": { readonly schema: TSchema } };
} = {
  description: "what went wrong, and what to do next (RFC 9457)",
  content: { "application/problem+json": { schema: ProblemSchema } },
};

export function problem(
  code: ErrorCode,
  extra: { readonly detail?: string; readonly status?: number; readonly command?: string } = {},
): Problem {
  const { words, mayHaveSucceeded, temporary } = ERRORS[code];
  const status = extra.status ?? STATUS[code];
  return {
    type: "about:blank",
    title: words,
    status,
    code,
    mayHaveSucceeded,
    temporary,
    ...(extra.detail === undefined ? {} : { detail: extra.detail }),
    ...(extra.command === undefined ? {} : { command: extra.command }),
  };
}

/** Seconds after which asking again is reasonable once a rate was exceeded. */
const RETRY_AFTER_S = "1";

export function sendProblem(reply: FastifyReply, body: Problem): FastifyReply {
  if (body.status === 401) reply.header("www-authenticate", 'Bearer realm="kerbside"');
  if (body.status === 429) reply.header("retry-after", RETRY_AFTER_S);
  return reply.code(body.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(body);
}

/** The one answer for a path that does not exist and for one of another tenant (P-02). */
export function sendNotFound(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, problem("not_found"));
}

/** What was thrown, as a problem. Nothing of an unexpected error is shown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProtocolError) {
    // Which part of a token was wrong, or that a thing exists elsewhere, is nobody's business.
    const silent = error.code === "unauthenticated" || error.code === "not_found";
    return problem(error.code, silent ? {} : { detail: error.message });
  }
  if (isFrameworkError(error) && error.statusCode < 500) {
    const { statusCode: status } = error;
    return problem(status === 429 ? "limit_reached" : "malformed", {
      status,
      detail: error.message.slice(0, DETAIL_CHARS_MAX),
    });
  }
  return problem("unavailable", { status: 500 });
}

const DETAIL_CHARS_MAX = 300;

function isFrameworkError(
  error: unknown,
): error is { readonly statusCode: number; readonly message: string } {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number";
}

/** For Fastify's `setErrorHandler`. */
export function handleError(
  error: unknown,
  _request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  return sendProblem(reply, problemOf(error));
}
