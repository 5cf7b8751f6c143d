/**
 * Accounts of people (P-70 to P-73): made, signed in with, locked, changed and closed. One attempt of an account at a
 * time, so that of guesses sent all at once no more are tried than of guesses sent in a row. Whatever is wrong, whoever
 * asks without being signed in gets one answer, and after as long.
 */
import {
  type AccountRecord,
  type AuditEntry,
  type Clock,
  type PeopleStore,
  ProtocolError,
  type Role,
  randomBytes,
  type TenantId,
  tenantId,
} from "@kerbside/protocol";
import {
  type Account,
  afterFailure,
  afterSuccess,
  closed,
  lockedForGood,
  standingOf,
  unlocked,
  withPassword,
} from "./account-rules.ts";
import type { AccountSeal } from "./account-seal.ts";
import { hashPassword, passwordProblem, splitHashes, verifyPassword } from "./passwords.ts";
import {
  afterCode,
  base32,
  hasFactor,
  RECOVERY_BYTES,
  RECOVERY_CODES,
  stepOf,
  type Used,
  withFactor,
  withoutFactor,
} from "./second-factor.ts";
import { Turns } from "./turns.ts";

export type AccountPorts = {
  readonly people: (tenant: TenantId) => Promise<PeopleStore | undefined>;
  readonly seal: AccountSeal;
  readonly clock: Pick<Clock, "wallMs">;
};
/** `hasFactor`: the password alone is not enough, see `checkCode`. */
export type SignedIn = {
  readonly person: string;
  readonly role: Role;
  readonly hasFactor: boolean;
  /** As the password was looked at: what ends tokens after that ends this sign-in too. */
  readonly tokensAfterMs: number;
};
export type Who = { readonly tenant: TenantId; readonly person: string };
/** What somebody shows of themselves; `code` is looked at where there is a second factor. */
export type Shown = { readonly user: string; readonly password: string; readonly code: string };
/** Whose password was right. */
export type Begun = Who & Pick<SignedIn, "hasFactor" | "tokensAfterMs">;
export type NewAccount = Who & { readonly user: string; readonly role: Role };

/** How often a change is tried again that another process came before. */
const TRIES_MAX = 5;
/** Attempts of one account that wait for the one before. */
const WAITING_MAX = 8;
const USER_CHARS_MAX = 254;

export class Accounts {
  readonly #ports: AccountPorts;
  readonly #turns = new Turns(WAITING_MAX);

  constructor(ports: AccountPorts) {
    this.#ports = ports;
  }

  /** Throws ProtocolError `forbidden` (with one text for all reasons) or `limit_reached`. */
  async signIn(tenant: string, user: string, password: string): Promise<SignedIn> {
    const found = await this.#byUser(tenant, user);
    if (found === undefined) {
      await verifyPassword(password, undefined);
      throw refused();
    }
    let result: SignedIn | undefined;
    await this.#inTurn(found, async () => {
      result = await this.#attempt(found, password);
    });
    if (result === undefined) throw refused();
    return result;
  }

  async #inTurn({ tenant, person }: Who, run: () => Promise<void>): Promise<void> {
    const turn = this.#turns.take(`${tenant} ${person}`, run);
    if (turn === undefined)
      throw new ProtocolError("limit_reached", "sign-in: too many at once for this account");
    await turn;
  }

  /**
   * The second factor, after the password. A wrong code counts as a failed sign-in. Throws ProtocolError `forbidden` (with
   * one text for all reasons) or `limit_reached`.
   */
  async checkCode(begun: Begun, code: string): Promise<void> {
    const who: Who = begun;
    let used: Used | undefined;
    await this.#inTurn(who, async () => {
      const done = { ...entryOf(who, "account.sign-in"), reason: "second factor" };
      await this.change(who, done, (account, nowMs) => {
        const after = isStill(account, begun, nowMs) ? afterCode(account, code, nowMs) : undefined;
        used = after?.used;
        return after?.account;
      });
      if (used === undefined) await this.change(who, { ...done, outcome: "refused" }, afterFailure);
      if (used === "recovery code")
        await this.change(who, entryOf(who, "account.recovery-code"), (account) => account);
    });
    if (used === undefined) throw refused();
  }

  /**
   * A new second factor in place of any before, shown to work by a code. Codes to keep; undefined where the code is wrong.
   * Throws ProtocolError `forbidden` where the sign-in is over, or somebody else gave the account its first one meanwhile.
   */
  async putFactor(
    begun: Begun,
    secret: Uint8Array,
    code: string,
  ): Promise<readonly string[] | undefined> {
    const step = stepOf(secret, code, this.#ports.clock.wallMs());
    if (step === undefined) return undefined;
    const codes = Array.from({ length: RECOVERY_CODES }, () => base32(randomBytes(RECOVERY_BYTES)));
    await this.change(begun, entryOf(begun, "account.factor"), (account, nowMs) => {
      if (!isStill(account, begun, nowMs) || hasFactor(account) !== begun.hasFactor)
        throw refused();
      return withFactor(account, secret, step, codes);
    });
    return codes;
  }

  /** Whether nothing has ended the sign-in since its password: no lock, no other password, no end of the account. */
  async isStill(begun: Begun): Promise<boolean> {
    return isStill(await this.open(begun), begun, this.#ports.clock.wallMs());
  }

  /** For somebody who lost it and the codes. Nothing where there is none. */
  async removeFactor(who: Who, audit: AuditEntry): Promise<void> {
    await this.change(who, audit, withoutFactor);
  }

  /** Without a password: the person sets one by a reset. Throws `conflict` where there is one, or the name is taken. */
  async create({ tenant, person, user, role }: NewAccount, audit: AuditEntry): Promise<void> {
    const people = await this.#people(tenant);
    if (user.length === 0 || user.length > USER_CHARS_MAX)
      throw new ProtocolError("malformed", `user name: expected 1 to ${USER_CHARS_MAX} characters`);
    if ((await people.person(person))?.state !== "active")
      throw new ProtocolError("not_found", "person: there is no active one");
    const account: Account = {
      person,
      role,
      state: { at: "open" },
      tokensAfterMs: this.#ports.clock.wallMs(),
      secret: { user, passwords: new Uint8Array(), failures: 0 },
    };
    await people.putAccount(this.#ports.seal.seal(tenant, account, 1), user, audit);
  }

  /** Throws ProtocolError `not_found`, `malformed` (what is wrong with it) or `conflict` (one of the last). */
  async setPassword(who: Who, password: string, audit: AuditEntry): Promise<void> {
    await this.refuseBad(who, password);
    const hash = await hashPassword(password);
    await this.change(who, audit, (account, nowMs) => withPassword(account, hash, nowMs));
  }

  /**
   * By the person, who shows all that signing in asks for: whatever is wrong of it counts as a failed sign-in. Sessions and
   * tokens end. Throws as `signIn` and `setPassword`.
   */
  async changePassword(tenant: string, shown: Shown, password: string): Promise<void> {
    const signed = await this.signIn(tenant, shown.user, shown.password);
    const who: Begun = { tenant: tenantId(tenant), ...signed };
    if (signed.hasFactor) await this.checkCode(who, shown.code);
    await this.refuseBad(who, password);
    const hash = await hashPassword(password);
    let isDone = false;
    await this.change(who, entryOf(who, "account.password"), (now, nowMs) => {
      // Meanwhile it may have been locked, closed or given another one, by whoever has its mail.
      isDone = isStill(now, signed, nowMs);
      return isDone ? withPassword(now, hash, nowMs) : undefined;
    });
    if (!isDone) throw refused();
  }

  async lock(who: Who, audit: AuditEntry): Promise<void> {
    await this.change(who, audit, lockedForGood);
  }

  async unlock(who: Who, audit: AuditEntry): Promise<void> {
    await this.change(who, audit, unlocked);
  }

  /** P-73. The shell stays; the person is suspended with an empty profile, unless a legal hold needs it, but for what a card is charged by. */
  async close(who: Who, audit: AuditEntry): Promise<void> {
    const people = await this.#people(who.tenant);
    await this.change(who, audit, closed);
    const record = await people.person(who.person);
    if (record === undefined || record.state === "erased") return;
    const isHeld = await people.isHeld(who.person);
    const suspendedAtMs = record.suspendedAtMs ?? this.#ports.clock.wallMs();
    // What is charged by stays until the erasure has it revoked at the provider.
    const { paymentToken } = record.profile;
    const left = paymentToken === undefined ? {} : { paymentToken };
    const profile = isHeld ? record.profile : left;
    await people.putPerson({ ...record, state: "suspended", suspendedAtMs, profile }, audit);
  }

  /** The account, opened. Throws ProtocolError `not_found`, or `unauthenticated` where it was tampered with. */
  async open(who: Who): Promise<Account> {
    const record = await (await this.#people(who.tenant)).account(who.person);
    if (record === undefined || record.secret.length === 0)
      throw new ProtocolError("not_found", "account: is not there");
    return this.#ports.seal.open(who.tenant, record);
  }

  /** Whose account has this user name, where there is one that can be opened. */
  async find(tenant: string, user: string): Promise<Who | undefined> {
    const found = await this.#byUser(tenant, user);
    return found && { tenant: found.tenant, person: found.person };
  }

  /** Compares and sets; what another process changed meanwhile is seen. */
  async change(
    who: Who,
    audit: AuditEntry,
    step: (account: Account, nowMs: number) => Account | undefined,
  ): Promise<Account> {
    const people = await this.#people(who.tenant);
    for (let tries = 1; ; tries += 1) {
      const record = await people.account(who.person);
      if (record === undefined || record.secret.length === 0)
        throw new ProtocolError("not_found", "account: is not there");
      const account = this.#ports.seal.open(who.tenant, record);
      const next = step(account, this.#ports.clock.wallMs());
      if (next === undefined) return account;
      try {
        const sealed = this.#ports.seal.seal(who.tenant, next, record.version + 1);
        await people.putAccount(sealed, undefined, audit);
        return next;
      } catch (error) {
        const isLate = error instanceof ProtocolError && error.code === "conflict";
        if (!isLate || tries >= TRIES_MAX) throw error;
      }
    }
  }

  /** Throws ProtocolError `malformed` or `conflict`. */
  async refuseBad(who: Who, password: string): Promise<void> {
    const { secret } = await this.open(who);
    const profile = (await (await this.#people(who.tenant)).person(who.person))?.profile ?? {};
    const { name = "", email = "" } = profile;
    const own = [secret.user, who.tenant, ...name.split(/\s+/), ...email.split("@")];
    const problem = passwordProblem(password, own);
    if (problem !== undefined) throw new ProtocolError("malformed", `password: ${problem}`);
    for (const hash of splitHashes(secret.passwords))
      if (await verifyPassword(password, hash))
        throw new ProtocolError("conflict", "password: is one of the last five");
  }

  async #attempt(found: Who, password: string): Promise<SignedIn | undefined> {
    const account = await this.open(found);
    const [hash] = splitHashes(account.secret.passwords);
    const { clock } = this.#ports;
    const isOpen = standingOf(account, clock.wallMs()) === "open";
    const isRight = await verifyPassword(password, isOpen ? hash : undefined);
    if (!isOpen) return undefined;
    // Failures are forgotten by the second factor only, or codes could be guessed between right passwords.
    const { person } = found;
    const { role, tokensAfterMs } = account;
    if (isRight && hasFactor(account)) return { person, role, hasFactor: true, tokensAfterMs };
    if (isRight) {
      let signed: SignedIn | undefined;
      const done = entryOf(found, "account.sign-in");
      await this.change(found, done, (now, nowMs) => {
        // Looking at the password took its time: the account may have been locked, closed or given another one.
        const isIn = isStill(now, { tokensAfterMs }, nowMs) && !hasFactor(now);
        signed = isIn ? { person, role: now.role, hasFactor: false, tokensAfterMs } : undefined;
        // On record also where nothing changes by it.
        return isIn ? (afterSuccess(now) ?? now) : undefined;
      });
      return signed;
    }
    const failed: AuditEntry = { ...entryOf(found, "account.sign-in"), outcome: "refused" };
    await this.change(found, failed, afterFailure);
    return undefined;
  }

  async #people(tenant: TenantId): Promise<PeopleStore> {
    const people = await this.#ports.people(tenant);
    if (people === undefined) throw new ProtocolError("not_found", "tenant: is not there");
    return people;
  }

  async #byUser(name: string, user: string): Promise<(Who & AccountRecord) | undefined> {
    if (user.length > USER_CHARS_MAX) return undefined;
    const tenant = asTenant(name);
    const people = tenant && (await this.#ports.people(tenant));
    if (tenant === undefined || people === undefined) return undefined;
    const [person] = await people.findPeople("user", user);
    const record = person === undefined ? undefined : await people.account(person);
    return record === undefined || record.secret.length === 0 ? undefined : { ...record, tenant };
  }
}

function isStill(account: Account, begun: Pick<Begun, "tokensAfterMs">, nowMs: number): boolean {
  return standingOf(account, nowMs) === "open" && account.tokensAfterMs === begun.tokensAfterMs;
}

function asTenant(name: string): TenantId | undefined {
  try {
    return tenantId(name);
  } catch {
    // No such tenant, then.
    return undefined;
  }
}

function refused(): ProtocolError {
  return new ProtocolError(
    "forbidden",
    "sign-in: name or password is wrong, or the account is locked",
  );
}

export function entryOf({ person }: Who, action: string): AuditEntry {
  const who = `person:${person}`;
  return { actor: who, action, subject: who, outcome: "done" };
}
