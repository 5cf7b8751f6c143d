/**
 * The second factor of an account: a code of six digits that an app on the person's telephone shows and that changes
 * each 30 s (TOTP, RFC 6238 over HMAC-SHA-1, as all such apps make it), or one of ten codes to keep, each good once. Pure:
 * what becomes of an account by a code, right or wrong.
 */
import { createHmac } from "node:crypto";
import { concatBytes, equalBytes, sameMac, sha256, utf8 } from "@kerbside/protocol";
import { type Account, afterSuccess } from "./account-rules.ts";

/** RFC 4226 § 4 R6: 160 bits. */
export const FACTOR_BYTES = 20;
const STEP_MS = 30_000;
const DIGITS = 6;
/** RFC 6238 § 5.2: telephones' clocks are off by a little. */
const STEPS_OFF_MAX = 1;
export const RECOVERY_CODES = 10;
/** 80 random bits: too many to try, so a plain hash keeps them. */
export const RECOVERY_BYTES = 10;
const HASH_BYTES = 32;
/** RFC 4648 § 6. */
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? [])
    .map((part) => BASE32[Number.parseInt(part.padEnd(5, "0"), 2)] ?? "")
    .join("");
}

/** In groups, as a person reads it. */
export const readable = (text: string): string => text.replace(/(.{4})(?=.)/g, "$1 ");

/** RFC 4226 § 5.3. */
export function codeAt(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const number = mac.readUInt32BE((mac[mac.length - 1] ?? 0) & 0xf) & 0x7fffffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, "0");
}

/** The step that a code is of, later than the last one that was used; undefined where it is of none. */
export function stepOf(
  secret: Uint8Array,
  code: string,
  nowMs: number,
  after = 0,
): number | undefined {
  const now = Math.floor(nowMs / STEP_MS);
  const given = code.replaceAll(/\s/g, "");
  if (!/^\d{6}$/.test(given)) return undefined;
  for (let step = now - STEPS_OFF_MAX; step <= now + STEPS_OFF_MAX; step += 1)
    if (step > after && sameMac(utf8(codeAt(secret, step)), utf8(given))) return step;
  return undefined;
}

export const hasFactor = ({ secret }: Account): boolean => secret.factor !== undefined;

/** What an app reads; the name is only shown there. */
export function factorAddress(secret: Uint8Array, tenant: string, user: string): string {
  const label = encodeURIComponent(`Kerbside ${tenant}:${user}`);
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=${encodeURIComponent(`Kerbside ${tenant}`)}`;
}

const recoveryHash = (code: string): Uint8Array =>
  sha256(utf8(code.replaceAll(/\s/g, "").toUpperCase()));

/** In place of any factor before; the code that showed it is used up. */
export function withFactor(
  account: Account,
  factor: Uint8Array,
  step: number,
  codes: readonly string[],
): Account {
  const recovery = concatBytes(...codes.map(recoveryHash));
  return { ...account, secret: { ...account.secret, factor, factorStep: step, recovery } };
}

/** Undefined where there is none. */
export function withoutFactor(account: Account): Account | undefined {
  const { factor, factorStep, recovery, ...secret } = account.secret;
  return factor === undefined ? undefined : { ...account, secret };
}

export type Used = "code" | "recovery code";

/** Undefined where the code is none of this account, or was used. */
export function afterCode(
  account: Account,
  code: string,
  nowMs: number,
): { readonly account: Account; readonly used: Used } | undefined {
  const { factor, factorStep, recovery = new Uint8Array() } = account.secret;
  if (factor === undefined) return undefined;
  const good = { ...account, ...afterSuccess(account) };
  const step = stepOf(factor, code, nowMs, factorStep);
  if (step !== undefined)
    return { account: { ...good, secret: { ...good.secret, factorStep: step } }, used: "code" };
  const hash = recoveryHash(code);
  for (let at = 0; at < recovery.length; at += HASH_BYTES) {
    if (!equalBytes(recovery.subarray(at, at + HASH_BYTES), hash)) continue;
    const left = concatBytes(recovery.subarray(0, at), recovery.subarray(at + HASH_BYTES));
    const secret = { ...good.secret, recovery: left };
    return { account: { ...good, secret }, used: "recovery code" };
  }
  return undefined;
}
