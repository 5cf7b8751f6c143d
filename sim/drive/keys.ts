/** Secrets of a simulated car: made at the first start, kept in files that only their owner reads. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { fromHex, KEY_BYTES, randomBytes, toHex } from "@kerbside/protocol";

/** 32 bytes as 64 hexadecimal digits. Makes the file (mode 0600) where there is none. Throws Error naming the file. */
export function readOrMakeKey(path: string): Uint8Array {
  if (!existsSync(path)) {
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, `${toHex(randomBytes(KEY_BYTES))}\n`);
    } finally {
      closeSync(file);
    }
  }
  return readKey(path);
}

export function readKey(path: string): Uint8Array {
  const text = readFileSync(path, "utf8").trim();
  if (!/^[0-9a-fA-F]{64}$/.test(text)) {
    throw new Error(`${path}: expected ${KEY_BYTES} bytes as ${2 * KEY_BYTES} hexadecimal digits`);
  }
  return fromHex(text);
}
