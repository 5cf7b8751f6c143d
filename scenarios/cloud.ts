/**
 * The cloud of a simulated world: the real stores, ingest, command and grant services, signer and API on a copy of the
 * template, under the simulated clock. Only MQTT, TLS and the issuer of tokens are left out: what they carry is not.
 */
import { join } from "node:path";
import {
  ArtefactService,
  answerAnnouncements,
  apiServer,
  BookingService,
  CommandService,
  carMessageHandler,
  connectSigner,
  GrantService,
  runSigner,
  SCOPES,
  type SignerClient,
} from "@kerbside/commands";
import { openPlatformAuthority } from "@kerbside/identity";
import { createIngest, INGEST_LIMITS, Quarantine } from "@kerbside/ingest";
import {
  type Address,
  type Log,
  ProtocolError,
  type SourceMessage,
  systemRandom,
  type TokenVerifier,
} from "@kerbside/protocol";
import { openRegistry, openSignerTenants, type SqliteTenantStore } from "@kerbside/tenants";
import { keysOf, watchKeys } from "../cloud/certified-keys.ts";
import { homesOf } from "../cloud/homes.ts";
import { ensureServerFiles } from "../cloud/provisioning.ts";
import type { Air } from "./air.ts";
import type { SimulatedTime } from "./simulated-time.ts";
import type { Template } from "./template.ts";

/** Who asks: the operator's backend, which books, and its staff, who may also act without a booking. */
export const CALLERS = ["backend", "operator"] as const;
export type CallerName = (typeof CALLERS)[number];
const TOKEN_LIFE_MS = 600_000;

export type Asked = {
  readonly method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};
export type Answered = { readonly status: number; readonly body: unknown };

export type CloudOptions = {
  readonly dir: string;
  readonly template: Template;
  readonly address: Address;
  readonly time: SimulatedTime;
  readonly air: Air;
  readonly log: Log;
  /** Rings a sleeping car. */
  readonly wake: () => Promise<void>;
};
export type SimulatedCloud = {
  readonly ask: (path: string, asked?: Asked, caller?: CallerName) => Promise<Answered>;
  readonly store: SqliteTenantStore;
  readonly close: () => Promise<void>;
};

/** Tokens are the names of callers; all else of a token is checked by the real parts as ever. */
function verifierOf({ address, time }: CloudOptions): TokenVerifier {
  const { "platform:admin": _platform, "commands:operate": _operate, ...backend } = SCOPES;
  const scopes: Readonly<Record<CallerName, readonly string[]>> = {
    backend: Object.keys(backend),
    operator: [...Object.keys(backend), "commands:operate"],
  };
  return async (token) => {
    const caller = CALLERS.find((name) => name === token);
    if (caller === undefined) throw new ProtocolError("unauthenticated", "token: of nobody");
    return {
      subject: `demo-${caller}`,
      tenant: address.tenant,
      scopes: new Set(scopes[caller]),
      token,
      expiresAtMs: time.wallStartMs + time.nowMs + TOKEN_LIFE_MS,
    };
  };
}

/** The signer answers over its socket: time stands still meanwhile. */
function held(signer: SignerClient, time: SimulatedTime): SignerClient {
  return {
    sealBooking: (...asked) => time.hold(() => signer.sealBooking(...asked)),
    signCommand: (...asked) => time.hold(() => signer.signCommand(...asked)),
    movedBooking: (...asked) => time.hold(() => signer.movedBooking(...asked)),
    answerTime: (...asked) => time.hold(() => signer.answerTime(...asked)),
    sealGrant: (...asked) => time.hold(() => signer.sealGrant(...asked)),
    carryGrant: (...asked) => time.hold(() => signer.carryGrant(...asked)),
    grantList: (...asked) => time.hold(() => signer.grantList(...asked)),
    signArtefact: (...asked) => time.hold(() => signer.signArtefact(...asked)),
    artefactFor: (...asked) => time.hold(() => signer.artefactFor(...asked)),
    requestKeys: (...asked) => time.hold(() => signer.requestKeys(...asked)),
    revokeRequestKey: (...asked) => time.hold(() => signer.revokeRequestKey(...asked)),
    close: () => signer.close(),
  };
}

export async function startCloud(options: CloudOptions): Promise<SimulatedCloud> {
  const { dir, template, address, time, air, log } = options;
  const { masterKey, signerKey } = template;
  const clock = time.clock();
  const registry = await openRegistry({ dir, masterKey, nowMs: clock.wallMs });
  const platform = await openPlatformAuthority(registry.platform.vault, Date.now);
  const tls = await ensureServerFiles(dir, platform, []);
  const tenant = homesOf(registry, platform);
  const verifyToken = verifierOf(options);
  const socket = join(dir, "signer.sock");
  const signerTenants = await openSignerTenants({ dir, signerKey });
  const signerProcess = await runSigner({
    ...{ socket, verifyToken, clock, log },
    tenant: (id) => signerTenants.tenant(id),
  });
  const signer = held(connectSigner({ socket, clock }), time);
  const { connected } = air;
  const parts = { tenant, signer, downlink: air, connected, clock, log };
  const commands = new CommandService({ ...parts, random: systemRandom, wake: options.wake });
  const grants = new GrantService(parts);
  const artefacts = new ArtefactService(parts);
  const quarantine = new Quarantine({ limits: INGEST_LIMITS, clock, log });
  const ingest = await createIngest({ tenant, downlink: air, clock, log, quarantine });
  const bookings = new BookingService({
    ...{ tenant, signer, clock },
    changed: (id, booking) => grants.bookingChanged(id, booking),
  });
  const app = await apiServer({
    ...{ tls, tenant, connected, commands, grants, artefacts, bookings, verifyToken, clock, log },
    signer,
  });
  await app.ready();
  const ends = new AbortController();
  const told = { ...parts, closing: ends.signal, grants, artefacts, keys: keysOf(tenant) };
  const announced = answerAnnouncements(told);
  const putAside = quarantine.put;
  const carMessage = carMessageHandler({ tenant, commands, clock, log, announced, putAside });
  const isUp = (message: SourceMessage): boolean => message.topic.channel === "up";
  air.take = (message) => (isUp(message) ? ingest.handle(message) : carMessage(message));
  const home = await tenant(address.tenant);
  if (home === undefined) throw new Error("the template has no tenant");
  air.admits = async ({ vehicle }) => {
    const record = await home.store.vehicle(vehicle);
    return record !== undefined && record.revokedAtMs === undefined;
  };
  await commands.pickUp(registry.list());
  const stopKeys = watchKeys({ list: registry.list, homes: tenant, downlink: air, clock, log });
  return {
    store: home.store,
    ask: async (path, asked = {}, caller = "backend") => {
      const { method = "GET", headers = {}, body } = asked;
      const answer = await app.inject({
        method,
        url: `/v1/tenants/${address.tenant}${path}`,
        headers: {
          ...headers,
          authorization: `Bearer ${caller}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      });
      return { status: answer.statusCode, body: parse(answer.payload) };
    },
    close: async () => {
      air.take = () => Promise.reject(new ProtocolError("unavailable", "nobody takes messages"));
      ends.abort();
      stopKeys();
      await app.close();
      await ingest.close();
      await grants.close();
      await commands.close();
      await signer.close();
      await signerProcess.close();
      await signerTenants.close();
      await registry.close();
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
