/**
 * Numbers as the command lines promise them: JSON numbers, integers above 2^53 as decimal strings, and
 * "NaN", "Infinity", "-Infinity" as strings.
 */
import type { RawValue } from "../dbc/index.ts";

const EXACT_MAX: number = 2 ** 53;

/**
 * A double reads back as the same double. Large ones get an exponent, so that readers with integers of
 * any size do not take them for exact ones.
 */
export function jsonDouble(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  if (Object.is(value, -0)) return "-0.0";
  return Math.abs(value) >= EXACT_MAX ? value.toExponential() : String(value);
}

export function jsonRaw(value: RawValue): string {
  if (typeof value === "number") return jsonDouble(value);
  const exact = value <= BigInt(EXACT_MAX) && value >= -BigInt(EXACT_MAX);
  return exact ? String(value) : `"${value}"`;
}

/** Microseconds as seconds with no digit too many; "null" for none. */
export function jsonSeconds(timeUs: number | null): string {
  if (timeUs === null) return "null";
  const sign = timeUs < 0 ? "-" : "";
  const us = Math.abs(timeUs);
  const whole = Math.floor(us / 1_000_000);
  const rest = us - whole * 1_000_000;
  if (rest === 0) return `${sign}${whole}`;
  return `${sign}${whole}.${String(rest).padStart(6, "0").replace(/0+$/, "")}`;
}
