/**
 * Signing in, page by page: the password; then, where the account has a second factor, its code; where it must have one
 * or the person asks for it, a new one. What was shown so far is kept here for one browser's sign-in, for a few minutes.
 */
import { type Clock, ProtocolError, type Role, randomBytes, tenantId } from "@kerbside/protocol";
import { type Context, errors, type Provider } from "oidc-provider";
import type { Accounts, Begun, SignedIn, Who } from "./accounts.ts";
import type { Form } from "./form.ts";
import { base32, FACTOR_BYTES, factorAddress, readable } from "./second-factor.ts";
import { codePage, factorPage, keepCodesPage } from "./second-factor-pages.ts";
import { PAGE_HEADERS, signInPage } from "./sign-in-pages.ts";

export const SIGN_IN_PATH = "/oauth/people/sign-in/";
export const SUBJECT = "person:";
/** From the password to the end. */
const BEGUN_MS_MAX = 600_000;
/** Sign-ins begun by a right password; the oldest gives way. */
const BEGUN_MAX = 10_000;
const SECOND_MS = 1000;

/** The password was right. `renew`: the person asked for a new second factor. */
type Place = { readonly who: Begun; readonly user: string; readonly untilMs: number } & (
  | { readonly at: "code"; readonly renew: boolean }
  | { readonly at: "factor"; readonly secret: Uint8Array }
  | { readonly at: "codes shown" }
);

export type SignInParts = {
  readonly accounts: Accounts;
  /** When the tokens and sessions of a person began to be good. */
  readonly tokensAfterMs: (who: Who) => Promise<number>;
  /** Roles that nobody signs in with without a second factor. */
  readonly secondFactor: ReadonlySet<Role>;
  readonly provider: Provider;
  readonly clock: Clock;
};

export function show(context: Context, status: number, html: string): void {
  context.status = status;
  for (const [name, value] of Object.entries(PAGE_HEADERS)) context.set(name, value);
  context.body = html;
}

const isRefused = (error: unknown): boolean =>
  error instanceof ProtocolError && error.code === "forbidden";

function overWhereRefused(error: unknown): never {
  if (isRefused(error)) throw new errors.SessionNotFound();
  throw error;
}

export class SignInDesk {
  readonly #parts: SignInParts;
  readonly #begun = new Map<string, Place>();

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  /** Throws SessionNotFound where it is none of this browser, and ProtocolError. */
  async serve(context: Context, form: Form): Promise<void> {
    const { provider, clock } = this.#parts;
    const { uid, params } = await provider.interactionDetails(context.req, context.res);
    const client = await provider.Client.find(String(params.client_id));
    const tenant = client?.["tenant"];
    if (typeof tenant !== "string" || context.path !== `${SIGN_IN_PATH}${uid}`)
      throw new errors.SessionNotFound();
    const begun = this.#begun.get(uid);
    if (context.method === "GET") {
      this.#begun.delete(uid);
      return show(context, 200, signInPage(tenant));
    }
    if (begun === undefined) return this.#password(context, uid, tenant, form);
    if (clock.wallMs() >= begun.untilMs) {
      this.#begun.delete(uid);
      throw new errors.SessionNotFound();
    }
    switch (begun.at) {
      case "code":
        return this.#code(context, uid, begun, form);
      case "factor":
        return this.#factor(context, uid, begun, form);
      case "codes shown":
        return this.#done(context, uid, begun.who);
    }
  }

  async #password(context: Context, uid: string, tenant: string, form: Form): Promise<void> {
    const { accounts, secondFactor, clock } = this.#parts;
    const { user = "", password = "" } = form;
    let signed: SignedIn;
    try {
      signed = await accounts.signIn(tenant, user, password);
    } catch (error) {
      if (!isRefused(error)) throw error;
      const words = "That name and password do not fit, or the account is locked for a while.";
      return show(context, 403, signInPage(tenant, words));
    }
    const who: Begun = { tenant: tenantId(tenant), ...signed };
    const renew = form["factor"] === "new";
    const begun = { who, user, untilMs: clock.wallMs() + BEGUN_MS_MAX };
    if (signed.hasFactor) {
      this.#keep(uid, { ...begun, at: "code", renew });
      return show(context, 200, codePage());
    }
    if (renew || secondFactor.has(signed.role)) return this.#newFactor(context, uid, begun);
    return this.#done(context, uid, who);
  }

  async #code(
    context: Context,
    uid: string,
    begun: Place & { readonly at: "code" },
    { code = "" }: Form,
  ): Promise<void> {
    try {
      await this.#parts.accounts.checkCode(begun.who, code);
    } catch (error) {
      if (!isRefused(error)) throw error;
      const words = "That code does not fit, was used, or the account is locked for a while.";
      return show(context, 403, codePage(words));
    }
    return begun.renew ? this.#newFactor(context, uid, begun) : this.#done(context, uid, begun.who);
  }

  #newFactor(context: Context, uid: string, { who, user, untilMs }: Omit<Place, "at">): void {
    const secret = randomBytes(FACTOR_BYTES);
    this.#keep(uid, { who, user, untilMs, at: "factor", secret });
    show(context, 200, this.#factorPage({ who, user, secret }));
  }

  #factorPage(
    { who, user, secret }: { who: Who; user: string; secret: Uint8Array },
    wrong?: string,
  ): string {
    return factorPage(readable(base32(secret)), factorAddress(secret, who.tenant, user), wrong);
  }

  async #factor(
    context: Context,
    uid: string,
    begun: Place & { readonly at: "factor" },
    { code = "" }: Form,
  ): Promise<void> {
    const { who, user, untilMs, secret } = begun;
    const codes = await this.#parts.accounts.putFactor(who, secret, code).catch(overWhereRefused);
    if (codes === undefined)
      return show(context, 400, this.#factorPage(begun, "That code does not fit. Try the next."));
    this.#keep(uid, { who, user, untilMs, at: "codes shown" });
    show(context, 200, keepCodesPage(codes.map(readable)));
  }

  async #done(context: Context, uid: string, who: Begun): Promise<void> {
    const { provider, accounts, clock } = this.#parts;
    this.#begun.delete(uid);
    await this.#untilNewer(who);
    if (!(await accounts.isStill(who))) throw new errors.SessionNotFound();
    // Told now and not when the browser comes back: what ends sessions in between ends this one too.
    const ts = Math.floor(clock.wallMs() / SECOND_MS);
    const login = { accountId: `${SUBJECT}${who.person}`, remember: false, ts };
    const back = await provider.interactionResult(context.req, context.res, { login });
    context.status = 303;
    context.redirect(back);
  }

  #keep(uid: string, begun: Place): void {
    this.#begun.delete(uid);
    this.#begun.set(uid, begun);
    // What ended unfinished names somebody for nothing (P-22).
    for (const [oldest, { untilMs }] of this.#begun) {
      if (this.#begun.size <= BEGUN_MAX && this.#parts.clock.wallMs() < untilMs) break;
      this.#begun.delete(oldest);
    }
  }

  /**
   * Sessions and tokens tell their beginning in whole seconds, and those that began before the last lock or password are
   * over: one that begins in the same second would be taken for an older one.
   */
  async #untilNewer(who: Who): Promise<void> {
    const { tokensAfterMs, clock } = this.#parts;
    const newerMs = (Math.floor((await tokensAfterMs(who)) / SECOND_MS) + 1) * SECOND_MS;
    const waitMs = Math.min(SECOND_MS, newerMs - clock.wallMs());
    if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve));
  }
}
