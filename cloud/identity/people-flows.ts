/**
 * How people sign in to the embedded issuer (P-70): authorization code with PKCE (RFC 7636) for public clients, one a
 * tenant, and the pages of sign-in and reset. What a token may do follows from the role of the account, whatever was
 * asked for; an account that is locked or closed ends its sessions.
 */
import {
  type AccountRecord,
  type Clock,
  type Log,
  ProtocolError,
  ROLES,
  type Role,
  type TenantId,
  tenantId,
} from "@kerbside/protocol";
import {
  type ClientMetadata,
  type Context,
  errors,
  type Grant,
  interactionPolicy,
  type Provider,
  type Account as ProviderAccount,
} from "oidc-provider";
import { type Answers, LINK_EVERY_MS, type Resets } from "./account-reset.ts";
import { isAlive } from "./account-rules.ts";
import type { Accounts } from "./accounts.ts";
import { AttemptLimiter, type AttemptLimits } from "./attempts.ts";
import { type Form, readForm } from "./form.ts";
import { networkOf } from "./network.ts";
import { SIGN_IN_PATH, SignInDesk, SUBJECT, show } from "./sign-in.ts";
import {
  askResetPage,
  changePasswordPage,
  donePage,
  refusedPage,
  resetPage,
  sentPage,
  signedOutPage,
  signOutPage,
} from "./sign-in-pages.ts";

export type PeopleOptions = {
  readonly accounts: Accounts;
  /** Links that were made follow from here, whoever carried them to the person. */
  readonly resets: Resets;
  /** Whether a link goes out by mail, so that somebody can ask for one by themselves. */
  readonly mails: boolean;
  readonly account: (tenant: TenantId, person: string) => Promise<AccountRecord | undefined>;
  /** Of any text. */
  readonly hasTenant: (tenant: string) => Promise<boolean>;
  /** Roles that nobody signs in with without a second factor; others may have one. */
  readonly secondFactor: ReadonlySet<Role>;
  /** Where a browser may be sent with its code: the console, and an operator's own pages. */
  readonly redirects: readonly string[];
};

const PATHS = { authorize: "/oauth/authorize", signOut: "/oauth/sign-out" } as const;
const PAGES = "/oauth/people/";
const RESET = `${PAGES}reset`;
const FINISH = `${PAGES}reset/finish`;
const PASSWORD = `${PAGES}password`;
const CLIENT = /^console\.([a-z0-9-]{1,40})$/;
const FIELDS_ASKED = ["birthDate", "licence", "nationalId", "phone", "name"] as const;
/** Failed sign-ins and resets of one address, whatever the account. */
const BY_ADDRESS: AttemptLimits = { failuresMax: 30, windowMs: 300_000, keysMax: 10_000 };

/** Every scope that a person may have. */
export const PERSON_SCOPES: readonly string[] = [
  ...new Set<string>(Object.values(ROLES).flatMap(({ person, scopes }) => (person ? scopes : []))),
];

export function isPeoplePath(path: string): boolean {
  const { authorize, signOut } = PATHS;
  const below = [`${authorize}/`, `${signOut}/`, PAGES];
  return path === authorize || path === signOut || below.some((start) => path.startsWith(start));
}

/** The public client through which the people of a tenant sign in. */
export async function consoleClient(
  id: string,
  { hasTenant, redirects }: PeopleOptions,
): Promise<ClientMetadata | undefined> {
  const name = CLIENT.exec(id)?.[1];
  if (name === undefined || !(await hasTenant(name))) return undefined;
  return {
    client_id: id,
    tenant: name,
    scope: PERSON_SCOPES.join(" "),
    grant_types: ["authorization_code"],
    response_types: ["code"],
    redirect_uris: redirects,
    token_endpoint_auth_method: "none",
  };
}

/** What the provider's configuration needs for people. */
export function peopleConfiguration(
  people: PeopleOptions,
  resource: string,
  clock: Pick<Clock, "wallMs">,
): Readonly<Record<string, unknown>> {
  const policy = interactionPolicy.base();
  // Nobody is asked to agree to what their role gives them at their own operator.
  policy.remove("consent");
  policy
    .get("login")
    ?.checks.add(
      new interactionPolicy.Check(
        "no_account",
        "the account is locked, closed or another tenant's",
        ({ oidc }) => oidc?.session?.accountId !== undefined && oidc.account === undefined,
      ),
    );
  return {
    responseTypes: ["code"],
    pkce: { required: () => true },
    interactions: {
      policy,
      url: (_context: Context, { uid }: { readonly uid: string }) => `${SIGN_IN_PATH}${uid}`,
    },
    findAccount: (context: Context, subject: string, source?: { readonly authTime?: number }) =>
      findAccount(people, clock, context, subject, source?.authTime),
    loadExistingGrant: (context: Context & { readonly oidc: { readonly provider: Provider } }) =>
      grantOf(context, context.oidc.provider, resource),
  };
}

async function findAccount(
  people: PeopleOptions,
  clock: Pick<Clock, "wallMs">,
  { oidc }: Context,
  subject: string,
  authTimeS: number | undefined,
): Promise<ProviderAccount | undefined> {
  const tenant = oidc?.client?.["tenant"];
  if (typeof tenant !== "string" || !subject.startsWith(SUBJECT)) return undefined;
  const record = await people.account(tenantId(tenant), subject.slice(SUBJECT.length));
  const beganS = authTimeS ?? oidc?.session?.loginTs ?? 0;
  if (record === undefined || !isAlive(record, beganS * 1000, clock.wallMs())) return undefined;
  const claims = async () => ({ sub: subject });
  return { accountId: subject, role: record.role, claims };
}

async function grantOf(
  { oidc }: Context,
  provider: Provider,
  resource: string,
): Promise<Grant | undefined> {
  const { account, client } = oidc ?? {};
  if (account === undefined || client === undefined) return undefined;
  const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  const scopes = ROLES[account.role as Role].scopes;
  grant.addResourceScope(resource, scopes.join(" "));
  await grant.save();
  return grant;
}

/** Of the feature that signs people out. */
export const SIGN_OUT_FEATURE: Readonly<Record<string, unknown>> = {
  enabled: true,
  logoutSource: async (context: Context, form: string) => show(context, 200, signOutPage(form)),
  postLogoutSuccessSource: async (context: Context) => show(context, 200, signedOutPage()),
};

type Parts = {
  readonly people: PeopleOptions;
  readonly provider: Provider;
  readonly clock: Clock;
  readonly log: Log;
};

/** Serves the pages; hands on what is none of them. */
export function peoplePages(
  parts: Parts,
): (context: Context, next: () => Promise<void>) => Promise<void> {
  const attempts = new AttemptLimiter(BY_ADDRESS, parts.clock);
  const { accounts, account, secondFactor } = parts.people;
  const desk = new SignInDesk({
    ...{ accounts, secondFactor, provider: parts.provider, clock: parts.clock },
    tokensAfterMs: async ({ tenant, person }) =>
      (await account(tenant, person))?.tokensAfterMs ?? 0,
  });
  return async (context, next) => {
    if (!context.path.startsWith(PAGES)) return next();
    const network = networkOf(context.ip);
    if (attempts.waitMs(network) > 0)
      return show(
        context,
        429,
        refusedPage("There were too many attempts from here. Wait a while."),
      );
    const isPost = context.method === "POST";
    // Counted while it is under way: of guesses sent all at once no more are tried than of guesses sent in a row.
    if (isPost) attempts.failed(network);
    let isFailed = true;
    try {
      await answer(context, parts, desk);
      // Each link that is asked for counts, because nobody may tell whether it was sent.
      isFailed = context.status === 403 || context.path === RESET;
    } finally {
      if (isPost && !isFailed) attempts.takeBack(network);
    }
  };
}

async function answer(context: Context, parts: Parts, desk: SignInDesk): Promise<void> {
  try {
    await serve(context, parts, desk);
  } catch (error) {
    if (error instanceof errors.SessionNotFound)
      return show(context, 400, refusedPage("That took too long. Go back and sign in again."));
    if (!(error instanceof ProtocolError)) throw error;
    show(context, error.code === "limit_reached" ? 429 : 400, refusedPage(error.message));
  }
}

async function serve(context: Context, parts: Parts, desk: SignInDesk): Promise<void> {
  const isPost = context.method === "POST";
  if (!isPost && context.method !== "GET") return show(context, 405, refusedPage("Not here."));
  const form: Form = isPost ? await readForm(context.req) : {};
  if (context.path.startsWith(SIGN_IN_PATH)) return desk.serve(context, form);
  const { accounts, resets, mails } = parts.people;
  if (context.path === PASSWORD) return changePassword(context, form, accounts);
  if (context.path === RESET && !mails)
    return show(context, 404, refusedPage("Ask whoever runs this service for a new password."));
  if (context.path === RESET) return askReset(context, form, resets, parts.log);
  if (context.path === FINISH) return finishReset(context, form, resets);
  show(context, 404, refusedPage("There is no such page."));
}

/** Throws ProtocolError `limit_reached`. */
async function changePassword(context: Context, form: Form, accounts: Accounts): Promise<void> {
  const named = context.method === "GET" ? context.query["tenant"] : form["tenant"];
  const tenant = typeof named === "string" ? named : "";
  if (context.method === "GET") return show(context, 200, changePasswordPage(tenant));
  const { user = "", old = "", code = "", password = "" } = form;
  try {
    await accounts.changePassword(tenant, { user, password: old, code }, password);
    show(context, 200, donePage());
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code === "limit_reached") throw error;
    if (error.code === "malformed" || error.code === "conflict")
      return show(context, 400, changePasswordPage(tenant, error.message));
    const words = "That does not fit, a code was used, or the account is locked for a while.";
    show(context, 403, changePasswordPage(tenant, words));
  }
}

async function askReset(context: Context, form: Form, resets: Resets, log: Log): Promise<void> {
  if (context.method === "GET") {
    const { tenant } = context.query;
    return show(context, 200, askResetPage(typeof tenant === "string" ? tenant : ""));
  }
  const { tenant = "", user = "" } = form;
  // Not waited for: how long it takes would tell whether there is such an account.
  resets.request(tenant, user, LINK_EVERY_MS).catch((error: unknown) => {
    log.warn("reset.failed", { error: error instanceof ProtocolError ? error.code : "unexpected" });
  });
  show(context, 200, sentPage());
}

async function finishReset(context: Context, form: Form, resets: Resets): Promise<void> {
  const asked = context.method === "GET" ? context.query["token"] : form["token"];
  const token = typeof asked === "string" ? asked : "";
  try {
    if (context.method === "POST") {
      const answers: Answers = Object.fromEntries(FIELDS_ASKED.map((name) => [name, form[name]]));
      await resets.finish(token, answers, form["password"] ?? "");
      return show(context, 200, donePage());
    }
    show(context, 200, resetPage(token, await resets.questions(token), undefined));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    switch (error.code) {
      case "malformed":
      case "conflict":
        return show(context, 400, resetPage(token, await resets.questions(token), error.message));
      case "unauthenticated":
      case "forbidden":
        return show(
          context,
          403,
          refusedPage("The link is not valid any more, or an answer is wrong."),
        );
      default:
        throw error;
    }
  }
}
