/** One of the two servers: the API over a real store, or a bare Fastify route that verifies the same token. */
import { recently, serviceVerifier } from "@kerbside/cloud";
import {
  ArtefactService,
  apiServer,
  BookingService,
  CommandService,
  connectSigner,
  GrantService,
} from "@kerbside/commands";
import { tokenVerifier } from "@kerbside/identity";
import { ProtocolError, systemClock, systemRandom, type TokenVerifier } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import Fastify, { type FastifyInstance } from "fastify";
import { AUDIENCE, ISSUER, PATH, readConfig, type ServerConfig } from "./config.ts";

const clock = systemClock(() => performance.now());

async function ours({ dir, masterKey, tls }: ServerConfig, verifyToken: TokenVerifier) {
  const registry = await openRegistry({ dir, masterKey: Buffer.from(masterKey, "hex") });
  // As the node does it.
  const tenant = recently(registry.tenant, clock);
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  // Reads need neither signer nor cars: they are not there.
  const signer = connectSigner({ socket: `${dir}/no-signer.sock`, clock });
  const away = new ProtocolError("vehicle_offline", "there are no cars");
  const downlink = { send: () => Promise.reject(away) };
  const parts = { tenant, signer, downlink, clock, log };
  return apiServer({
    ...{ ...parts, tls, verifyToken },
    commands: new CommandService({ ...parts, random: systemRandom }),
    bookings: new BookingService({ ...parts, changed: async () => undefined }),
    grants: new GrantService(parts),
    artefacts: new ArtefactService(parts),
  });
}

function bare({ tls, body }: ServerConfig, verifyToken: TokenVerifier): FastifyInstance {
  const app = Fastify({ https: { ...tls, minVersion: "TLSv1.3", noDelay: true } });
  app.get(PATH, async (request, reply) => {
    const token = (request.headers.authorization ?? "").slice("Bearer ".length);
    try {
      await verifyToken(token);
    } catch {
      return reply.code(401).send({});
    }
    return body;
  });
  // The generic instance type differs with https; what is used of it does not.
  return app as unknown as FastifyInstance;
}

async function serve(): Promise<void> {
  const config = readConfig();
  const issuer = { issuer: ISSUER, keys: config.jwks };
  const verify = tokenVerifier({ ...issuer, audience: AUDIENCE, clock });
  // A node remembers for half a minute that a token's signature verified.
  const served = serviceVerifier(issuer, undefined, clock, {
    account: async () => undefined,
    hasClient: () => true,
  });
  const app =
    config.side === "bare"
      ? bare(config, verify)
      : await ours(config, config.side === "ours" ? served : verify);
  await app.listen({ host: "127.0.0.1", port: 0 });
  const at = app.server.address();
  process.on("message", () => process.send?.({ cpuUs: cpuUs() }));
  process.send?.({ port: typeof at === "object" && at !== null ? at.port : 0 });
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

await serve();
