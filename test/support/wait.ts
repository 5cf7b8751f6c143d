/** Waiting for something to become true, without a fixed sleep. */
const POLL_MS = 5;

/** Resolves as soon as `is` says so; rejects naming `what` when that takes longer than `withinMs`. */
export async function until(
  what: string,
  is: () => boolean | Promise<boolean>,
  withinMs: number = 20_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}
