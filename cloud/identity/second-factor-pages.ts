/** The issuer's pages for a second factor. */
import { escaped, field, page, wrongOf } from "./sign-in-pages.ts";

const CODE = field("Code", "code", "text", "one-time-code");

export function codePage(wrong?: string): string {
  return page(
    "Second factor",
    `${wrongOf(wrong)}<p>Type the code that your app shows now, or one of those that you were given to keep.</p><form method="post">${CODE}<button>Go on</button></form>`,
  );
}

/** `address` opens the app where it is on the same machine. */
export function factorPage(secret: string, address: string, wrong?: string): string {
  return page(
    "Set up a second factor",
    `${wrongOf(wrong)}<p>Add this key to an app for one-time codes (RFC 6238), then type the code that it shows.</p><p><code>${escaped(secret)}</code></p><p><a href="${escaped(address)}">Add it to the app on this machine</a></p><form method="post">${CODE}<button>Go on</button></form>`,
  );
}

export function keepCodesPage(codes: readonly string[]): string {
  const list = codes.map((code) => `<li><code>${escaped(code)}</code></li>`).join("");
  return page(
    "Keep these codes",
    `<p>Each lets you in once, in place of a code of the app. They are shown this once.</p><ul>${list}</ul><form method="post"><button>I have kept them</button></form>`,
  );
}
