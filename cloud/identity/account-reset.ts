/**
 * P-72: a new password by a link to the person's e-mail address. Where the profile holds more than that address, some of
 * it must be confirmed; four wrong answers lock the account for good. All within half an hour, unless it is configured
 * otherwise.
 */
import {
  type AuditEntry,
  type PeopleStore,
  type PersonProfile,
  type ProfileField,
  ProtocolError,
  randomBytes,
  sha256,
  type TenantId,
  tenantId,
} from "@kerbside/protocol";
import { afterWrongAnswer, isReset, RESET_MS, standingOf, withReset } from "./account-rules.ts";
import { type AccountPorts, type Accounts, entryOf, type Who } from "./accounts.ts";
import type { SendMail } from "./mail.ts";
import { Turns } from "./turns.ts";

/** What a person can be asked, the ones that others know least first; two of them are. */
const ASKED = ["birthDate", "licence", "nationalId", "phone", "name"] as const;
const QUESTIONS_MAX = 2;
const SECRET_BYTES = 32;
/** Between two links to one account that anybody asks for: mail is a person's, and a newer link ends the older one. */
export const LINK_EVERY_MS = 300_000;
/** Answers to one reset that wait for the one before. */
const WAITING_MAX = 8;
const TOKEN = /^([a-z0-9-]{1,40})\.([0-9a-f-]{36})\.([\w-]{43})$/;

export type ResetPorts = AccountPorts & {
  readonly accounts: Accounts;
  readonly send: SendMail;
  /** The address of the page that takes the token. */
  readonly link: (token: string) => string;
  /** How long a reset may take; see RESET_MS. */
  readonly resetMs?: number;
};
export type Answers = Readonly<Partial<Record<ProfileField, string>>>;

export class Resets {
  readonly #ports: ResetPorts;
  readonly #resetMs: number;
  readonly #turns = new Turns(WAITING_MAX);

  /** Throws ProtocolError `malformed` where the time lies outside RESET_MS. */
  constructor(ports: ResetPorts) {
    this.#ports = ports;
    this.#resetMs = ports.resetMs ?? RESET_MS.default;
    if (!(this.#resetMs >= RESET_MS.min && this.#resetMs <= RESET_MS.max))
      throw new ProtocolError("malformed", "reset: expected 15 to 60 minutes");
  }

  /**
   * Sends the link where there is such an account, and none was made within the last `everyMs`; says nothing of whether
   * there is. Rejects where mail fails.
   */
  async request(tenant: string, user: string, everyMs = 0): Promise<void> {
    const { accounts, clock } = this.#ports;
    const who = await accounts.find(tenant, user);
    if (who === undefined) return;
    const people = await this.#ports.people(who.tenant);
    const email = (await people?.person(who.person))?.profile.email;
    const account = await accounts.open(who);
    const standing = standingOf(account, clock.wallMs());
    if (email === undefined || standing === "locked-for-good" || standing === "closed") return;
    const secret = Buffer.from(randomBytes(SECRET_BYTES)).toString("base64url");
    let isMade = false;
    await accounts.change(who, entryOf(who, "account.reset"), (before, nowMs) => {
      const madeMs = (before.secret.resetUntilMs ?? 0) - this.#resetMs;
      isMade = Math.abs(nowMs - madeMs) >= everyMs;
      return isMade ? withReset(before, hashOf(secret), nowMs + this.#resetMs) : undefined;
    });
    if (!isMade) return;
    const minutes = Math.round(this.#resetMs / 60_000);
    await this.#ports.send({
      to: email,
      subject: "Your password",
      text: `Somebody, we hope you, asked to set a new password. This page does it, for ${minutes} minutes:\n\n${this.#ports.link(`${who.tenant}.${who.person}.${secret}`)}\n\nIf it was not you, there is nothing to do.\n`,
    });
  }

  /** What will be asked. Throws ProtocolError `forbidden` where the token is of no reset that is under way. */
  async questions(token: string): Promise<readonly ProfileField[]> {
    return (await this.#read(token)).asked;
  }

  /**
   * Throws ProtocolError `forbidden` (the token), `unauthenticated` (an answer is wrong), `malformed` or `conflict` (the
   * password).
   */
  async finish(token: string, answers: Answers, password: string): Promise<void> {
    // One at a time, so that of answers sent all at once no more are looked at than of answers sent in a row.
    const [, , person = ""] = TOKEN.exec(token) ?? [];
    const turn = this.#turns.take(person, () => this.#finish(token, answers, password));
    if (turn === undefined) throw new ProtocolError("limit_reached", "reset: too many at once");
    await turn;
  }

  async #finish(token: string, answers: Answers, password: string): Promise<void> {
    const { accounts } = this.#ports;
    const { who, asked, profile } = await this.#read(token);
    const isRight = asked.every((name) => same(answers[name] ?? "", profile[name] ?? ""));
    if (!isRight) {
      const wrong: AuditEntry = { ...entryOf(who, "account.reset"), outcome: "refused" };
      await accounts.change(who, wrong, afterWrongAnswer);
      throw new ProtocolError("unauthenticated", "reset: an answer is wrong");
    }
    await accounts.setPassword(who, password, entryOf(who, "account.password"));
  }

  async #read(token: string): Promise<{
    readonly who: Who;
    readonly profile: PersonProfile;
    readonly asked: readonly ProfileField[];
  }> {
    const [, tenant = "", person = "", secret = ""] = TOKEN.exec(token) ?? [];
    const people = tenant === "" ? undefined : await this.#peopleOf(tenant);
    const record = await people?.account(person);
    if (record === undefined || record.secret.length === 0) throw noReset();
    const who = { tenant: tenantId(tenant), person };
    const account = this.#ports.seal.open(who.tenant, record);
    if (!isReset(account, hashOf(secret), this.#ports.clock.wallMs())) throw noReset();
    const profile = (await people?.person(person))?.profile ?? {};
    const asked = ASKED.filter((name) => profile[name] !== undefined).slice(0, QUESTIONS_MAX);
    return { who, profile, asked };
  }

  async #peopleOf(tenant: string): Promise<PeopleStore | undefined> {
    try {
      const id: TenantId = tenantId(tenant);
      return await this.#ports.people(id);
    } catch (error) {
      if (error instanceof ProtocolError && error.code === "malformed") return undefined;
      throw error;
    }
  }
}

function hashOf(secret: string): Uint8Array {
  return sha256(new TextEncoder().encode(secret));
}

/** As people write it: case, spaces and signs do not count. */
function same(answer: string, known: string): boolean {
  const bare = (text: string): string =>
    text
      .normalize("NFKC")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}]/gu, "");
  return bare(known) !== "" && bare(answer) === bare(known);
}

function noReset(): ProtocolError {
  return new ProtocolError("forbidden", "reset: the link is not valid, or not any more");
}
