/** Small files that must be whole or not there at all, whenever the power goes. */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";

/** The code of a file system error, such as ENOENT. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

/** A failure of the file system in one line. */
export function fileError(file: string, error: unknown): ProtocolError {
  const code = errorCode(error) ?? "failed";
  const readOnly = code === "EACCES" || code === "EROFS" || code === "EPERM";
  const words = readOnly ? "is not writable" : code === "ENOSPC" ? "the disk is full" : code;
  return new ProtocolError("storage_failed", `${file}: ${words}`, { cause: error });
}

/** Undefined if there is no such file. Throws ProtocolError `storage_failed`. */
export function readIfThere(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw fileError(file, error);
  }
}

/** Makes a directory that only its owner may enter. Throws ProtocolError `storage_failed`. */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(directory, error);
  }
}

/** Replaces a file as a whole (mode 0600): after a crash there is the old one or the new one. Durable. */
export function replaceFile(file: string, content: Uint8Array): void {
  const next = join(dirname(file), `.${randomUUID()}.next`);
  try {
    const handle = openSync(next, "wx", 0o600);
    try {
      for (let at = 0; at < content.length; ) at += writeSync(handle, content, at);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(next, file);
    syncDirectory(dirname(file));
  } catch (error) {
    rmSync(next, { force: true });
    throw fileError(file, error);
  }
}

/** A rename is durable only when its directory is. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
