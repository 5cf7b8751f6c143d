/** `POST /renew`: a car that shows its client certificate gets a new one. See `renew` of the package of identities. */
import { X509Certificate } from "node:crypto";
import { TLSSocket } from "node:tls";
import { AttemptLimiter, type RenewalPorts, renew } from "@kerbside/identity";
import { type Clock, ProtocolError, type RenewalRequest } from "@kerbside/protocol";
import type { FastifyInstance, FastifySchema } from "fastify";
import { Type } from "typebox";

/** Renewals of one car in an hour, whether its new certificates were used or not. */
const RENEWALS = { failuresMax: 10, windowMs: 3_600_000, keysMax: 20_000 };
const CSR_CHARS_MAX = 8192;
const HIDDEN: FastifySchema & { readonly hide: boolean } = { hide: true };
const RenewalSchema = Type.Object(
  { csr: Type.String({ maxLength: CSR_CHARS_MAX }) },
  { additionalProperties: false },
);

export function registerRenewal(
  app: FastifyInstance,
  ports: Omit<RenewalPorts, "admit">,
  clock: Clock,
): void {
  const renewals = new AttemptLimiter(RENEWALS, clock);
  const admit: RenewalPorts["admit"] = ({ tenant, vehicle }) => {
    const car = `${tenant}.${vehicle}`;
    if (renewals.waitMs(car) > 0)
      throw new ProtocolError("limit_reached", "renewal: too many of this car within an hour");
    renewals.failed(car);
  };
  app.post<{ Body: RenewalRequest }>(
    "/renew",
    { schema: { ...HIDDEN, body: RenewalSchema } },
    async ({ raw, body }) => {
      try {
        return await renew(presented(raw.socket), body, { ...ports, admit });
      } catch (error) {
        if (error instanceof ProtocolError && error.code === "unauthenticated")
          throw new ProtocolError("forbidden", error.message, { cause: error });
        throw error;
      }
    },
  );
}

/** What the client has shown and holds the key of, whoever issued it and however old it is. */
function presented(socket: object): X509Certificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { raw } = socket.getPeerCertificate();
  return raw === undefined ? undefined : new X509Certificate(raw);
}
