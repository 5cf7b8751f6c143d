/** How the command line says how people sign in and where mail goes out, for `serve` and `serve issuer`. */
import { readFileSync } from "node:fs";
import type { SmtpOptions } from "@kerbside/identity";
import { isRole, ROLES, type Role } from "@kerbside/protocol";
import { type Environment, readPassword } from "../config.ts";
import { type Input, type Option, UsageError } from "./command.ts";

const SMTP_PASSWORD = { name: "smtp-password", variable: "KERBSIDE_SMTP_PASSWORD" } as const;
const PLACE = /^([a-z0-9.-]{1,253}):(\d{1,5})$/i;
const SECOND_FACTOR = "second-factor";
/** Who sees most, and changes what others may see. */
const SECOND_FACTOR_DEFAULT = "manager,auditor";
const NOBODY = "none";
/** P-72. */
const RESET_MINUTES = { min: 15, max: 60 } as const;

export const MAIL_OPTIONS: Readonly<Record<string, Option>> = {
  smtp: { value: "HOST:PORT", doc: "mail server (TLS from the first byte): sends password links" },
  "smtp-user": { value: "NAME", doc: `its user; the password is in ${SMTP_PASSWORD.variable}` },
  "smtp-ca": { value: "FILE", doc: "authority of that server, PEM; default: the system's" },
  "mail-from": { value: "ADDRESS", doc: "from whom mail comes; expected with --smtp" },
  [SECOND_FACTOR]: {
    value: "ROLES",
    default: SECOND_FACTOR_DEFAULT,
    doc: `roles that sign in with a second factor only, or ${NOBODY}, as with --dev; others may have one`,
  },
  "reset-minutes": { value: "N", default: "30", doc: "how long a new password may take, 15 to 60" },
};

export type MailWords = {
  readonly smtp?: SmtpOptions;
  readonly resetMs: number;
  readonly secondFactor: ReadonlySet<Role>;
};

/** Throws UsageError, naming the word and what was expected. */
export function mailOf(input: Input): MailWords {
  const resetMs = input.integer("reset-minutes", RESET_MINUTES.min, RESET_MINUTES.max) * 60_000;
  const people = { resetMs, secondFactor: secondFactorOf(input) };
  const place = input.optional("smtp");
  if (place === undefined) return people;
  const [, host, port] = PLACE.exec(place) ?? [];
  const from = input.optional("mail-from");
  if (host === undefined || from === undefined)
    throw new UsageError("--smtp: expected HOST:PORT, and --mail-from with it");
  const ca = input.optional("smtp-ca");
  const user = input.optional("smtp-user");
  const smtp: SmtpOptions = {
    host,
    port: Number(port),
    from,
    ...(ca === undefined ? {} : { ca: readFileSync(ca, "utf8") }),
    ...(user === undefined ? {} : { login: { user, pass: passwordIn(input.env) ?? "" } }),
  };
  return { ...people, smtp };
}

function secondFactorOf(input: Input): ReadonlySet<Role> {
  const said = wordOf(input, SECOND_FACTOR) ?? NOBODY;
  const roles = said === NOBODY ? [] : said.split(",").map((name) => name.trim());
  return new Set(
    roles.map((name) => {
      if (isRole(name) && ROLES[name].person) return name;
      throw new UsageError(`--${SECOND_FACTOR}: expected roles of people, or ${NOBODY}`);
    }),
  );
}

/** Who tries a cloud out has no telephone at hand: with `--dev` a second factor is demanded only where that is said. */
function wordOf(input: Input, name: string): string | undefined {
  const said = input.optional(name);
  return name === SECOND_FACTOR && input.flag("dev") && said === SECOND_FACTOR_DEFAULT
    ? NOBODY
    : said;
}

/** The same words for the service that sends; judged here first, so that a mistake is told once. */
export function mailWords(input: Input): readonly string[] {
  mailOf(input);
  return Object.keys(MAIL_OPTIONS).flatMap((name) => {
    const said = wordOf(input, name);
    return said === undefined ? [] : [`--${name}`, said];
  });
}

/** What that service is given besides its key. */
export function mailEnvironment(env: Environment): Environment {
  const password = passwordIn(env);
  return password === undefined ? {} : { [SMTP_PASSWORD.variable]: password };
}

function passwordIn(env: Environment): string | undefined {
  return readPassword(SMTP_PASSWORD, env);
}
