/** The issuer's pages for people: plain HTML that works without a script, and says nothing of who has an account. */
import { createHash } from "node:crypto";
import type { ProfileField } from "@kerbside/protocol";
import { PASSWORD_CHARS } from "./passwords.ts";

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;margin:10vh auto;max-width:22rem;padding:0 1rem;color:#1b1f24;background:#fff}" +
  "label{display:block;margin:1rem 0}input{display:block;box-sizing:border-box;width:100%;font:inherit;padding:.5rem}" +
  "input[type=checkbox]{display:inline;width:auto;margin-right:.5rem}li{font-size:1.1rem}" +
  "button{font:inherit;padding:.5rem 1rem}.wrong{color:#a40000}" +
  "@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#14171a}.wrong{color:#ff8a80}a{color:#9cf}}";
const STYLE_HASH: string = createHash("sha256").update(STYLE).digest("base64");

/** Nothing is loaded from anywhere, nothing runs, and nobody frames it. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'`,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
export function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ESCAPES[char] ?? "");
}

export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head><body><main><h1>${title}</h1>${body}</main></body></html>`;
}

export function wrongOf(words: string | undefined): string {
  return words === undefined ? "" : `<p class="wrong" role="alert">${escaped(words)}</p>`;
}

export const field = (label: string, name: string, type: string, complete: string): string =>
  `<label>${label}<input name="${name}" type="${type}" autocomplete="${complete}" required maxlength="254"></label>`;

export function signInPage(tenant: string, wrong?: string): string {
  const own = escaped(encodeURIComponent(tenant));
  return page(
    "Sign in",
    `${wrongOf(wrong)}<form method="post">${field("Name", "user", "text", "username")}${field("Password", "password", "password", "current-password")}<label><input name="factor" type="checkbox" value="new"> Set up a new second factor</label><button>Sign in</button></form><p><a href="/oauth/people/reset?tenant=${own}">Forgotten the password?</a></p><p><a href="/oauth/people/password?tenant=${own}">Change the password</a></p>`,
  );
}

export function askResetPage(tenant: string): string {
  const hidden = `<input type="hidden" name="tenant" value="${escaped(tenant)}">`;
  return page(
    "New password",
    `<p>We send a link to the address that belongs to the account.</p><form method="post" action="/oauth/people/reset">${hidden}${field("Name", "user", "text", "username")}<button>Send the link</button></form>`,
  );
}

export function changePasswordPage(tenant: string, wrong?: string): string {
  const { min } = PASSWORD_CHARS;
  const hidden = `<input type="hidden" name="tenant" value="${escaped(tenant)}">`;
  const code = `<label>Code, where there is a second factor<input name="code" autocomplete="one-time-code" maxlength="254"></label>`;
  return page(
    "Change the password",
    `${wrongOf(wrong)}<form method="post" action="/oauth/people/password">${hidden}${field("Name", "user", "text", "username")}${field("Password until now", "old", "password", "current-password")}${code}${field(`New password, at least ${min} characters`, "password", "password", "new-password")}<button>Change it</button></form>`,
  );
}

export function sentPage(): string {
  return page("On its way", "<p>Where there is such an account, a link is on its way to it.</p>");
}

const QUESTIONS: Readonly<Partial<Record<ProfileField, string>>> = {
  birthDate: "Day of birth (year-month-day)",
  licence: "Number of the driving licence",
  nationalId: "Number of the identity card or passport",
  phone: "Telephone number",
  name: "Full name",
};

export function resetPage(
  token: string,
  asked: readonly ProfileField[],
  wrong: string | undefined,
): string {
  const { min } = PASSWORD_CHARS;
  const questions = asked.map((name) => field(QUESTIONS[name] ?? name, name, "text", "off"));
  return page(
    "New password",
    `${wrongOf(wrong)}<form method="post" action="/oauth/people/reset/finish"><input type="hidden" name="token" value="${escaped(token)}">${questions.join("")}${field(`New password, at least ${min} characters`, "password", "password", "new-password")}<button>Set it</button></form>`,
  );
}

export function donePage(): string {
  return page(
    "Done",
    "<p>The new password is set. Go back to where you came from and sign in.</p>",
  );
}

export function refusedPage(words: string): string {
  return page("That did not work", `<p>${escaped(words)}</p>`);
}

/** `form` is made by the library. */
export function signOutPage(form: string): string {
  return page(
    "Sign out",
    `${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>`,
  );
}

export function signedOutPage(): string {
  return page("Signed out", "<p>You are signed out.</p>");
}
