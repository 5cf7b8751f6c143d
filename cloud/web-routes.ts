/** What stands beside the API on the same port: the enrolment of cars, and the console. */
import { consoleFiles, type Tiles } from "@kerbside/console";
import { AttemptLimiter, type EnrolmentPorts, enrol } from "@kerbside/identity";
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
      if (attempts.waitMs(request.ip) > 0)
        throw new ProtocolError("limit_reached", "enrolment: too many failures from this address");
      try {
        return await enrol(request.body, ports);
      } catch (error) {
        if (error instanceof ProtocolError) attempts.failed(request.ip);
        throw error;
      }
    },
  );
}

/** The operators' page, from memory. Throws RangeError where the tiles' address is none. */
export function registerConsole(app: FastifyInstance, tiles?: Tiles): void {
  for (const { url, body, headers } of consoleFiles(tiles)) {
    app.get(url, { schema: HIDDEN }, (request, reply) => {
      reply.headers(headers);
      if (request.headers["if-none-match"] === headers["etag"]) return reply.code(304).send();
      return reply.send(body);
    });
  }
  app.get("/console", { schema: HIDDEN }, (_request, reply) => reply.redirect("/console/", 308));
}
