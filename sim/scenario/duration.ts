/** Spans of time as people write them: `90s`, `1h30m`, `250ms`, `-1m`, `2d`; a bare number is seconds. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
export const DURATION_PATTERN = "^-?(?:[0-9]+(?:\\.[0-9]+)?(?:ms|s|m|h|d))+$";
const WHOLE = new RegExp(DURATION_PATTERN);

export type Duration = number | string;

/** Milliseconds. Throws RangeError for what is none. */
export function durationMs(duration: Duration): number {
  if (typeof duration === "number") return duration * 1000;
  if (!WHOLE.test(duration)) throw new RangeError(`${duration}: expected a time such as 1h30m`);
  let ms = 0;
  for (const [, number = "", unit = ""] of duration.matchAll(/([0-9.]+)(ms|s|m|h|d)/g))
    ms += Number(number) * (UNIT_MS[unit] ?? 0);
  return duration.startsWith("-") ? -ms : ms;
}

/** `1 d 02:03:04.5`, for reports. */
export function clockWords(ms: number): string {
  const days = Math.floor(ms / 86_400_000);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const hours = two((ms % 86_400_000) / 3_600_000);
  const clock = `${hours}:${two((ms % 3_600_000) / 60_000)}:${two((ms % 60_000) / 1000)}`;
  const tenth = Math.floor((ms % 1000) / 100);
  return `${days > 0 ? `${days} d ` : ""}${clock}.${tenth}`;
}
