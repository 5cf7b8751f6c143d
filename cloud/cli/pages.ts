/** Reading what comes in pages. */
export const PAGE = 1000;
export const CURSOR_MAX: number = Number.MAX_SAFE_INTEGER;

/** All rows, page by page, as long as pages are full. */
export async function* pages<K extends string, T extends { readonly [key in K]: number }>(
  after: number,
  read: (after: number) => Promise<readonly T[]>,
  key: K,
): AsyncGenerator<T> {
  for (let at = after; ; ) {
    const rows = await read(at);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    at = last[key];
  }
}
