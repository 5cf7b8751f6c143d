/** What stands beside the API on the same port: the enrolment of cars, and the console. */
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import { consoleFiles, type Tiles } from "@kerbside/console";
import { AttemptLimiter, type EnrolmentPorts, enrol, networkOf } from "@kerbside/identity";
import { type Clock, type EnrolmentRequest, ProtocolError } from "@kerbside/protocol";
import type { FastifyInstance, FastifySchema } from "fastify";
import { Type } from "typebox";

/** Failed enrolments of one address before it has to wait (P-63). */
const ENROLMENT_ATTEMPTS = { failuresMax: 10, windowMs: 300_000, keysMax: 10_000 };
const CSR_CHARS_MAX = 8192;
/** Not among what the API's documentation shows to backends. */
const HIDDEN: FastifySchema & { readonly hide: boolean } = { hide: true };

const text = (max: number) => Type.String({ maxLength: max });
const EnrolmentSchema = Type.Object(
  {
    tenant: text(40),
    vehicle: text(40),
    token: text(64),
    csr: text(CSR_CHARS_MAX),
    signingKey: text(64),
    signingKeyProof: text(128),
  },
  { additionalProperties: false },
);

export function registerEnrolment(app: FastifyInstance, ports: EnrolmentPorts, clock: Clock): void {
  const attempts = new AttemptLimiter(ENROLMENT_ATTEMPTS, clock);
  app.post<{ Body: EnrolmentRequest }>(
    "/enrol",
    { schema: { ...HIDDEN, body: EnrolmentSchema } },
    async (request) => {
      const network = networkOf(request.ip);
      if (attempts.waitMs(network) > 0)
        throw new ProtocolError("limit_reached", "enrolment: too many failures from this address");
      try {
        return await enrol(request.body, ports);
      } catch (error) {
        if (error instanceof ProtocolError) attempts.failed(network);
        throw error;
      }
    },
  );
}

/** Smaller files gain nothing that is worth a second answer. */
const PACKED_BYTES_MIN = 1024;
/** Within 3 % of quality 7 on these files, at half its time. */
const PACKING = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
const pack = promisify(brotliCompress);

/**
 * The operators' page, from memory; packed (3.4 MB are 1.0 MB on the wire) from the first time that somebody takes it so.
 * Throws RangeError where the tiles' address is none.
 */
export function registerConsole(app: FastifyInstance, tiles?: Tiles): void {
  for (const { url, body, headers } of consoleFiles(tiles)) {
    let packed: Promise<Buffer> | undefined;
    app.get(url, { schema: HIDDEN }, async (request, reply) => {
      const taken = String(request.headers["accept-encoding"] ?? "").split(/, */);
      const isPacked = body.length >= PACKED_BYTES_MIN && taken.includes("br");
      const etag = isPacked ? headers["etag"]?.replace(/"$/, '-br"') : headers["etag"];
      reply.headers({ ...headers, etag, vary: "accept-encoding" });
      if (request.headers["if-none-match"] === etag) return reply.code(304).send();
      if (!isPacked) return reply.send(body);
      packed ??= pack(body, PACKING);
      return reply.header("content-encoding", "br").send(await packed);
    });
  }
  app.get("/console", { schema: HIDDEN }, (_request, reply) => reply.redirect("/console/", 308));
}
