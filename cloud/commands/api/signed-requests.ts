/** What the signer needs to verify a request that its caller signed: the bytes of the body as they came, and headers. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { RequestProof } from "../signer/request-signature.ts";

/** Bodies of signed requests, for as long as the requests are there. */
export type SignedBodies = WeakMap<FastifyRequest, Uint8Array>;

function isSigned({ headers }: FastifyRequest): boolean {
  return headers["signature"] !== undefined || headers["signature-input"] !== undefined;
}

/** Parses JSON as ever, and keeps what was parsed where the request is signed. */
export function keepSignedBodies(scope: FastifyInstance): SignedBodies {
  const bodies: SignedBodies = new WeakMap();
  const parse = scope.getDefaultJsonParser("error", "error");
  scope.addContentTypeParser<Buffer>(
    "application/json",
    { parseAs: "buffer" },
    (request, body, done) => {
      if (isSigned(request)) bodies.set(request, body);
      return parse(request, body.toString("utf8"), done);
    },
  );
  return bodies;
}

/** The request as it was signed; undefined where it says nothing of a signature. The signer judges it. */
export function proofOf(request: FastifyRequest, bodies: SignedBodies): RequestProof | undefined {
  if (!isSigned(request)) return undefined;
  const text = (name: string): string | undefined => {
    const value = request.headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const contentType = text("content-type");
  const contentDigest = text("content-digest");
  const idempotencyKey = text("idempotency-key");
  return {
    method: request.method,
    target: request.raw.url ?? "",
    authority: text("host") ?? "",
    ...(contentType === undefined ? {} : { contentType }),
    ...(contentDigest === undefined ? {} : { contentDigest }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    signatureInput: text("signature-input") ?? "",
    signature: text("signature") ?? "",
    body: bodies.get(request) ?? new Uint8Array(),
  };
}
