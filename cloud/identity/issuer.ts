/**
 * The embedded OAuth2 issuer: oidc-provider with client credentials (RFC 6749 § 4.4) for backends and authorization code
 * with PKCE for people (people-flows.ts). Tokens are JWTs (RFC 9068), so nothing is kept of them. It is reached by HTTPS on the API's port; an operator may configure
 * another issuer in its place.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Clock,
  type Log,
  sha256,
  type TenantId,
  toHex,
  utf8,
  type Vault,
} from "@kerbside/protocol";
import type { JSONWebKeySet, JWK } from "jose";
import { type Client, type ClientMetadata, type Context, errors, Provider } from "oidc-provider";
import { AttemptLimiter, type AttemptLimits } from "./attempts.ts";
import { IssuedMemory } from "./issued-memory.ts";
import { networkOf } from "./network.ts";
import {
  consoleClient,
  isPeoplePath,
  type PeopleOptions,
  peopleConfiguration,
  peoplePages,
  SIGN_OUT_FEATURE,
} from "./people-flows.ts";
import { show } from "./sign-in.ts";
import { refusedPage } from "./sign-in-pages.ts";
import { Turns } from "./turns.ts";

/** A backend as it is recorded: of one tenant, with the scopes it may ask for. */
export type IssuerClient = {
  readonly client: string;
  readonly tenant: TenantId;
  readonly scopes: readonly string[];
};

/** Where clients are recorded, without their secrets. */
export type IssuerClients = {
  /** Undefined where there is none or it was revoked. */
  readonly client: (client: string) => Promise<IssuerClient | undefined>;
  /** The client if the secret is its own. */
  readonly verifyClient: (client: string, secret: string) => Promise<IssuerClient | undefined>;
};

export type IssuerOptions = {
  /** The issuer's name in tokens and the base of its addresses: `https://host:port`. */
  readonly issuer: string;
  /** Whom its tokens are for. */
  readonly audience: string;
  /** All scopes there are. */
  readonly scopes: readonly string[];
  /** The issuer's own; holds the signing key, which is made at the first opening where the vault may be written. */
  readonly vault: Vault;
  /** Asked for each token. */
  readonly clients: IssuerClients;
  readonly clock: Clock;
  readonly log: Log;
  /** How people sign in; without it only clients do. */
  readonly people?: PeopleOptions;
  readonly limits?: { readonly byClient?: AttemptLimits; readonly byAddress?: AttemptLimits };
  /**
   * Whoever speaks HTTPS stands before it and says by `x-forwarded-for` whom it speaks for: nobody else can reach the
   * issuer then, and nobody else could say so.
   */
  readonly proxied?: boolean;
};

export type Issuer = {
  /** Public keys, for verifiers that are given them. */
  readonly jwks: JSONWebKeySet;
  /** Answers ISSUER_PATHS. The request's body must not have been read. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
  readonly paths: typeof ISSUER_PATHS;
};

export const ISSUER_PATHS = {
  token: "/oauth/token",
  jwks: "/oauth/jwks",
  discovery: "/.well-known/openid-configuration",
  authorize: "/oauth/authorize",
  signOut: "/oauth/sign-out",
  /** What the provider comes back to, and the pages. */
  resume: "/oauth/authorize/*",
  signOutConfirm: "/oauth/sign-out/*",
  pages: "/oauth/people/*",
} as const;

const PATHS: ReadonlySet<string> = new Set([
  ISSUER_PATHS.token,
  ISSUER_PATHS.jwks,
  ISSUER_PATHS.discovery,
]);

const TOKEN_LIFE_S = 600;
const CODE_LIFE_S = 60;
/** A browser takes them over HTTPS only, and the first from this host and for all of it only (RFC 6265bis § 4.1.3). */
const COOKIES = {
  session: "__Host-kerbside-session",
  // Of one path, which the first prefix rules out.
  interaction: "__Secure-kerbside-interaction",
  resume: "__Secure-kerbside-resume",
} as const;
/** A working day: a person signs in again after that. */
const SESSION_LIFE_S = 28_800;
const SECRET_BYTES = 32;
const KEY_NAME = "oauth/signing-key";
const NO_SECRET = "kept by nobody";
const CLIENT_ID_CHARS_MAX = 128;
const FIVE_MINUTES_MS = 300_000;
/** A client's failures count together with the address, so that nobody locks a backend out by failing in its name. */
const BY_CLIENT: AttemptLimits = { failuresMax: 5, windowMs: FIVE_MINUTES_MS, keysMax: 10_000 };
/** Sign-ins of one client from one address that wait for the one before; a check takes some 30 ms. */
const WAITING_MAX = 64;
const BUSY_MS = 1000;
const BY_ADDRESS: AttemptLimits = { failuresMax: 50, windowMs: FIVE_MINUTES_MS, keysMax: 10_000 };

export async function openIssuer(options: IssuerOptions): Promise<Issuer> {
  const key = await openKey(options.vault);
  const { d: _private, ...publicKey } = key;
  const provider = new Provider(options.issuer, configuration(options, key));
  // The library would compare with a secret that it keeps; here nobody keeps one, so the record is asked.
  provider.Client.prototype.compareClientSecret = async function compare(actual) {
    return (await options.clients.verifyClient(this.clientId, actual)) !== undefined;
  };
  provider.proxy = options.proxied === true;
  provider.use(slowDown(options));
  const { people, clock, log } = options;
  if (people !== undefined) provider.use(peoplePages({ people, provider, clock, log }));
  provider.on("server_error", (_context, error) => {
    options.log.error("issuer.failed", { what: error.name });
  });
  return { jwks: { keys: [publicKey] }, handler: provider.callback(), paths: ISSUER_PATHS };
}

async function openKey(vault: Vault): Promise<JWK> {
  const stored = await vault.get(KEY_NAME);
  if (stored !== undefined) return JSON.parse(new TextDecoder().decode(stored)) as JWK;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = privateKey.export({ format: "jwk" });
  const kid = toHex(sha256(utf8(JSON.stringify([jwk.crv, jwk.x, jwk.y])))).slice(0, 16);
  const key: JWK = { ...jwk, kid, alg: "ES256", use: "sig" };
  await vault.put(KEY_NAME, utf8(JSON.stringify(key)));
  return key;
}

function configuration(options: IssuerOptions, key: JWK): Readonly<Record<string, unknown>> {
  const { audience, scopes, people, clock } = options;
  const resourceServer = {
    scope: scopes.join(" "),
    audience,
    accessTokenTTL: TOKEN_LIFE_S,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: "ES256", kid: key.kid } },
  };
  return {
    adapter: adapterOf(options),
    jwks: { keys: [key] },
    routes: {
      token: ISSUER_PATHS.token,
      jwks: ISSUER_PATHS.jwks,
      authorization: ISSUER_PATHS.authorize,
      end_session: ISSUER_PATHS.signOut,
    },
    scopes: [...scopes],
    responseTypes: [],
    ...(people === undefined ? {} : peopleConfiguration(people, resourceOf(audience), clock)),
    renderError: (context: Context, { error }: { readonly error: string }) =>
      show(context, context.status, refusedPage(error)),
    // A browser names its origin even to the server that its page came from: the console, and no other page.
    clientBasedCORS: ({ req }: Context, origin: string) => origin === `https://${req.headers.host}`,
    // Not in the body: RFC 6749 § 2.3.1 advises against it, and one way is enough.
    clientAuthMethods: ["client_secret_basic", "none"],
    extraClientMetadata: { properties: ["tenant"] },
    cookies: { keys: [toHex(randomBytes(SECRET_BYTES))], names: COOKIES },
    clientDefaults: {
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: "ES256",
    },
    extraTokenClaims: ({ oidc }: Context) => ({
      tenant: oidc?.client?.["tenant"],
      ...(oidc?.account?.role === undefined ? {} : { role: oidc.account.role }),
    }),
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: people === undefined ? { enabled: false } : SIGN_OUT_FEATURE,
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // There is one resource, and it need not be named.
        defaultResource: () => resourceOf(audience),
        getResourceServerInfo: (context: Context, resource: string, { scope }: Client) => {
          if (resource !== resourceOf(audience)) throw new errors.InvalidTarget();
          // RFC 6749 § 3.3: a request that names no scope gets a default, here all that the client may have.
          if (context.oidc?.params !== undefined && typeof scope === "string")
            context.oidc.params.scope ??= scope;
          return resourceServer;
        },
        useGrantedResource: () => true,
      },
    },
    ttl: {
      ClientCredentials: TOKEN_LIFE_S,
      AccessToken: TOKEN_LIFE_S,
      IdToken: TOKEN_LIFE_S,
      AuthorizationCode: CODE_LIFE_S,
      Interaction: TOKEN_LIFE_S,
      Session: SESSION_LIFE_S,
      Grant: SESSION_LIFE_S,
    },
  };
}

/** A resource indicator is an absolute URI (RFC 8707 § 2). */
function resourceOf(audience: string): string {
  return audience.includes(":") ? audience : `urn:${audience}`;
}

/** What oidc-provider asks of its storage: clients are read, what people's sign-ins need is remembered for a while. */
function adapterOf({ clients, people, clock }: IssuerOptions): (model: string) => object {
  const find = async (id: string): Promise<ClientMetadata | undefined> =>
    metadataOf(await clients.client(id)) ?? (people && (await consoleClient(id, people)));
  return (model) => (model === "Client" ? { find } : new IssuedMemory(() => clock.wallMs()));
}

function metadataOf(client: IssuerClient | undefined): ClientMetadata | undefined {
  if (client === undefined) return undefined;
  return {
    client_id: client.client,
    // Something must stand here; it is compared with nothing.
    client_secret: NO_SECRET,
    tenant: client.tenant,
    scope: client.scopes.join(" "),
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: "client_secret_basic",
  };
}

/** Counts refused sign-ins and answers 429 (RFC 6585 § 4) while there were too many. */
function slowDown(
  options: IssuerOptions,
): (context: Context, next: () => Promise<void>) => Promise<void> {
  const byClient = new AttemptLimiter(options.limits?.byClient ?? BY_CLIENT, options.clock);
  const byAddress = new AttemptLimiter(options.limits?.byAddress ?? BY_ADDRESS, options.clock);
  const turns = new Turns(WAITING_MAX);
  const judge = async (context: Context, next: () => Promise<void>): Promise<void> => {
    const address = addressOf(context);
    const key = keyOf(context);
    const waitMs = Math.max(byAddress.waitMs(address), byClient.waitMs(key));
    if (waitMs > 0) return refuse(context, waitMs);
    await next();
    if (context.status === 401) {
      byAddress.failed(address);
      byClient.failed(key);
      options.log.warn("issuer.refused");
    } else if (context.status === 200) {
      byClient.succeeded(key);
      // It is one that there is; people's sign-ins are in their tenant's audit trail.
      const client = clientInHeader(context.req);
      if (client !== "") options.log.info("issuer.issued", { client });
    }
  };
  return async (context, next) => {
    // The library has more pages, which have no business here.
    const forPeople = options.people !== undefined && isPeoplePath(context.path);
    if (!PATHS.has(context.path) && !forPeople) return;
    if (context.path !== ISSUER_PATHS.token) return next();
    // One at a time: of guesses sent all at once no more are tried than of guesses sent in a row.
    const turn = turns.take(keyOf(context), () => judge(context, next));
    if (turn === undefined) refuse(context, BUSY_MS);
    else await turn;
  };
}

/** As the provider knows it: of the connection, or as the proxy says where there is one. */
function addressOf(context: Context): string {
  return networkOf(context.ip);
}

/** A client from an address. */
function keyOf(context: Context): string {
  return `${clientInHeader(context.req)} ${addressOf(context)}`;
}

function refuse(context: Context, waitMs: number): void {
  context.status = 429;
  context.set("retry-after", String(Math.ceil(waitMs / 1000)));
  context.body = { error: "slow_down", error_description: "too many sign-ins" };
}

/**
 * The client that HTTP Basic names (RFC 7617), of whatever length it claims to be cut to what an id may have. Written as
 * the library reads it (RFC 6749 § 2.3.1): one client has many spellings, and one count.
 */
function clientInHeader(request: IncomingMessage): string {
  const [scheme, encoded = ""] = (request.headers.authorization ?? "").split(" ");
  if (scheme?.toLowerCase() !== "basic") return "";
  const spelt = Buffer.from(encoded, "base64").toString().split(":", 1).join("");
  try {
    return decodeURIComponent(spelt.replaceAll("+", " ")).slice(0, CLIENT_ID_CHARS_MAX);
  } catch {
    // The library refuses it too.
    return "";
  }
}
