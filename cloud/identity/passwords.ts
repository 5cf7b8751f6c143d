/**
 * Passwords: Argon2id (RFC 9106) by node:crypto with the parameters that OWASP's cheat sheet names first, and what makes
 * one acceptable (P-70). Hashes are kept with the version of their parameters, so that those can rise.
 */
import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { concatBytes, ProtocolError } from "@kerbside/protocol";
import { dictionary } from "@zxcvbn-ts/language-common";

/** In kibibytes, passes and lanes; OWASP Password Storage Cheat Sheet, Argon2id with 19 MiB. */
const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const VERSION = 1;
const SALT_BYTES = 16;
const TAG_BYTES = 32;
export const HASH_BYTES: number = 1 + SALT_BYTES + TAG_BYTES;
/** Each takes 19 MiB and some 35 ms. */
const AT_ONCE_MAX = 2;
const WAITING_MAX = 64;

export const PASSWORD_CHARS = { min: 12, max: 128 } as const;
/** None of the last so many again. */
export const PASSWORDS_KEPT = 5;

let running = 0;
const waiting: (() => void)[] = [];

/** Throws ProtocolError `limit_reached` where too many wait. */
async function inTurn<T>(run: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE_MAX) {
    if (waiting.length >= WAITING_MAX)
      throw new ProtocolError("limit_reached", "sign-in: too many at once");
    // Whoever ends hands its place on, so that nobody who came later takes it.
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running += 1;
  try {
    return await run();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

function tagOf(password: string, salt: Uint8Array): Promise<Uint8Array> {
  const message = password.normalize("NFKC");
  return inTurn(
    () =>
      new Promise((resolve, reject) => {
        const asked = { ...PARAMETERS, message, nonce: salt, tagLength: TAG_BYTES };
        argon2("argon2id", asked, (error, tag) => {
          if (error === null) resolve(tag);
          else reject(error);
        });
      }),
  );
}

export async function hashPassword(password: string): Promise<Uint8Array> {
  const salt = randomBytes(SALT_BYTES);
  return concatBytes(Uint8Array.of(VERSION), salt, await tagOf(password, salt));
}

const NOBODYS = new Uint8Array(HASH_BYTES).fill(VERSION, 0, 1);

/** Takes as long where there is no hash to compare with. */
export async function verifyPassword(
  password: string,
  hash: Uint8Array | undefined,
): Promise<boolean> {
  const known = hash?.length === HASH_BYTES && hash[0] === VERSION ? hash : NOBODYS;
  // Counted as it was when it was set: some people's keyboards write a letter and its accent apart.
  if (password.normalize("NFKC").length > PASSWORD_CHARS.max) return false;
  const tag = await tagOf(password, known.subarray(1, 1 + SALT_BYTES));
  return timingSafeEqual(tag, known.subarray(1 + SALT_BYTES)) && known === hash;
}

/** The hashes of one account, newest first, as they are kept one after the other. */
export function splitHashes(hashes: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: Math.floor(hashes.length / HASH_BYTES) }, (_, i) =>
    hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

const COMMON: ReadonlySet<string> = new Set(dictionary["passwords-common"]);
/** What people write for letters. */
const LEET: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
  "!": "i",
};

/**
 * What is wrong with a password, in words; undefined where it will do. `own` are words that anybody who knows the person
 * would try.
 */
export function passwordProblem(password: string, own: readonly string[]): string | undefined {
  const { min, max } = PASSWORD_CHARS;
  const text = password.normalize("NFKC");
  if (text.length < min || text.length > max) return `expected ${min} to ${max} characters`;
  if (isCommon(text)) return "is one that many people use";
  const plain = text.toLowerCase();
  const known = own.map((word) => word.toLowerCase()).filter((word) => word.length >= 4);
  if (known.some((word) => plain.includes(word) && plain.length - word.length < 8))
    return "is mostly made of what others know of you";
  return undefined;
}

/** In the list as it is, or once numbers and signs around it, letters written as signs, or repeats are undone. */
function isCommon(password: string): boolean {
  const plain = password.toLowerCase();
  const letters = [...plain].map((char) => LEET[char] ?? char).join("");
  const bare = plain.replaceAll(/^[^a-z]+|[^a-z]+$/g, "");
  const bareLetters = letters.replaceAll(/^[^a-z]+|[^a-z]+$/g, "");
  return [plain, letters, bare, bareLetters].some(
    (form) => COMMON.has(form) || COMMON.has(repeatedPart(form)) || new Set(form).size < 4,
  );
}

/** The shortest text that the whole is repeats of; itself where there is none. */
function repeatedPart(text: string): string {
  const at = `${text}${text}`.indexOf(text, 1);
  return at > 0 && at < text.length ? text.slice(0, at) : text;
}
