/** Writing a file so that after a crash it is there whole, or as it was before. */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const PRIVATE = 0o600;

/** Replaces `file`, readable by its owner only; durable when it returns, the directory's entry included. */
export function writeDurably(file: string, content: string | Uint8Array): void {
  const dir = dirname(file);
  const draft = join(dir, `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  const handle = openSync(draft, "wx", PRIVATE);
  try {
    try {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncFolder(dir);
}

/** Makes the names in a folder durable. */
export function syncFolder(dir: string): void {
  const folder = openSync(dir, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
