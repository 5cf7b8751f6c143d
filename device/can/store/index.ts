/** The signal store: frames in, the latest value of each signal with time and quality out, changes to subscribers. */
export type { Changes } from "./changes.ts";
export type { Reception } from "./receive.ts";
export { createSignalStore, type SignalStore, type StoreStats } from "./store.ts";
