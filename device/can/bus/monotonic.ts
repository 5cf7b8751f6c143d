/**
 * Microseconds on the monotonic clock, which all processes of a machine share (clock_gettime(2), CLOCK_MONOTONIC): it
 * says how long a frame was on its way from one to another.
 */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}
