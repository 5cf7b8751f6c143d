import { chmodSync, closeSync, openSync } from "node:fs";

const OWNER_ONLY = 0o600;

/** Lets nobody but its owner read or write the file, which is made empty where it is not there. */
export function forOwnerOnly(file: string): void {
  closeSync(openSync(file, "a", OWNER_ONLY));
  chmodSync(file, OWNER_ONLY);
}
