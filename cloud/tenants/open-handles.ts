/**
 * How many database files a process holds open: those of a thousand tenants would take its memory and its descriptors.
 * The one that was used the longest ago is closed, unless it is in use, and opened again when somebody needs it.
 */

/** Each takes up to 2 MB of cached pages and three to six descriptors. */
export const OPEN_HANDLES_MAX = 64;

export type OpenHandle = {
  /** Whether it may be closed now. */
  readonly isIdle: () => boolean;
  readonly close: () => void;
};

/** In the order of their last use. */
const open = new Set<OpenHandle>();
let newest: OpenHandle | undefined;

export function handleUsed(handle: OpenHandle): void {
  if (newest === handle) return;
  open.delete(handle);
  open.add(handle);
  newest = handle;
  if (open.size <= OPEN_HANDLES_MAX) return;
  for (const oldest of open) {
    if (oldest === handle || !oldest.isIdle()) continue;
    handleClosed(oldest);
    oldest.close();
    return;
  }
}

export function handleClosed(handle: OpenHandle): void {
  open.delete(handle);
  if (newest === handle) newest = undefined;
}
