/**
 * Who is signed in: authorization code with PKCE (RFC 7636) at the platform's issuer. The token lives in this module's
 * memory only; the issuer's own cookie, which no script can read, lets it be renewed without asking again.
 */

export type Session = {
  readonly tenant: string;
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
  /** A token that is good for a while yet. Throws SignedOut. */
  readonly token: () => Promise<string>;
};

/** Signing in again is what helps. */
export class SignedOut extends Error {
  override readonly name = "SignedOut";
}

type Token = { readonly value: string; readonly untilMs: number };

/** A token is renewed this long before it ends. */
const RENEW_MS = 30_000;
const TENANT_KEY = "kerbside.tenant";
/** Of one sign-in under way; session storage, because it must outlive the way to the issuer and back. */
const FLOW_KEY = "kerbside.sign-in";
const REDIRECT = `${location.origin}/console/`;

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));

type Flow = { readonly tenant: string; readonly verifier: string; readonly state: string };

async function authorizeUrl(flow: Flow, silent: boolean): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(flow.verifier));
  const query = new URLSearchParams({
    client_id: `console.${flow.tenant}`,
    response_type: "code",
    redirect_uri: REDIRECT,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
    state: flow.state,
    ...(silent ? { prompt: "none" } : {}),
  });
  return `/oauth/authorize?${query}`;
}

const newFlow = (tenant: string): Flow => ({ tenant, verifier: random(), state: random() });

/** Leaves the page for the issuer's own. */
export async function goToSignIn(tenant: string): Promise<void> {
  const flow = newFlow(tenant);
  sessionStorage.setItem(FLOW_KEY, JSON.stringify(flow));
  localStorage.setItem(TENANT_KEY, tenant);
  location.assign(await authorizeUrl(flow, false));
}

export function rememberedTenant(): string {
  return localStorage.getItem(TENANT_KEY) ?? "";
}

export function goToSignOut(): void {
  sessionStorage.removeItem(FLOW_KEY);
  location.assign("/oauth/sign-out");
}

/**
 * The session that the address brings back from the issuer, or one that the issuer still knows; undefined: somebody has
 * to sign in. Throws SignedOut with the issuer's words where it refused.
 */
export async function openSession(): Promise<Session | undefined> {
  const query = new URLSearchParams(location.search);
  const kept = sessionStorage.getItem(FLOW_KEY);
  if (kept !== null && (query.has("code") || query.has("error"))) {
    sessionStorage.removeItem(FLOW_KEY);
    // The code is of no more use to anybody, and nobody needs to see it.
    history.replaceState(null, "", REDIRECT + location.hash);
    const flow = JSON.parse(kept) as Flow;
    return sessionOf(flow.tenant, await redeem(flow, query));
  }
  const tenant = rememberedTenant();
  if (tenant === "") return undefined;
  try {
    return sessionOf(tenant, await silently(tenant));
  } catch (error) {
    if (error instanceof SignedOut) return undefined;
    throw error;
  }
}

/** Follows the issuer's redirect back to this page, whose address then holds the code. */
async function silently(tenant: string): Promise<Token> {
  const flow = newFlow(tenant);
  const reply = await fetch(await authorizeUrl(flow, true), { credentials: "same-origin" });
  return redeem(flow, new URL(reply.url).searchParams);
}

async function redeem(flow: Flow, query: URLSearchParams): Promise<Token> {
  const code = query.get("code");
  if (code === null || query.get("state") !== flow.state) {
    throw new SignedOut(query.get("error_description") ?? query.get("error") ?? "");
  }
  const reply = await fetch("/oauth/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: `console.${flow.tenant}`,
      redirect_uri: REDIRECT,
      code,
      code_verifier: flow.verifier,
    }),
  });
  if (!reply.ok) throw new SignedOut("");
  const body = (await reply.json()) as { access_token: string; expires_in: number };
  return { value: body.access_token, untilMs: Date.now() + body.expires_in * 1000 - RENEW_MS };
}

/** What the token says of itself; the server, not this page, decides what it allows. */
function sessionOf(tenant: string, first: Token): Session {
  const part = (first.value.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
  const claims = JSON.parse(atob(part)) as { sub?: string; scope?: string };
  let token = first;
  let renewing: Promise<Token> | undefined;
  return {
    tenant,
    subject: claims.sub ?? "",
    scopes: new Set((claims.scope ?? "").split(" ")),
    token: async () => {
      if (Date.now() < token.untilMs) return token.value;
      renewing ??= silently(tenant).finally(() => {
        renewing = undefined;
      });
      token = await renewing;
      return token.value;
    },
  };
}
