/**
 * A file of a backup: AES-256-GCM in pieces, each bound to its place and the last one marked, under a key of its own that
 * is derived from the backup key, a random salt and the file's name in its set. What is cut, moved, repeated or swapped
 * does not open.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { concatBytes, deriveKey, ProtocolError, randomBytes, utf8 } from "@kerbside/protocol";

const MAGIC: Uint8Array = utf8("kerbside-backup1");
const SALT_BYTES = 32;
const PIECE_BYTES: number = 1024 * 1024;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

/** A counter that never comes twice under a file's key, and whether it is the last. */
function nonceOf(piece: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, piece);
  view.setUint8(11, isLast ? 1 : 0);
  return nonce;
}

function keyOf(backupKey: Uint8Array, name: string, salt: Uint8Array): Uint8Array {
  return deriveKey(backupKey, "kerbside/v1/backup-file", concatBytes(salt, utf8(name)));
}

/** Encrypts `from` into the new file `to`, durably. `told` is given the bytes read each time. */
export function encryptFile(
  backupKey: Uint8Array,
  name: string,
  from: string,
  to: string,
  told: (bytes: number) => void,
): void {
  const salt = randomBytes(SALT_BYTES);
  const key = keyOf(backupKey, name, salt);
  const [source, target] = [openSync(from, "r"), openSync(to, "wx", 0o600)];
  try {
    const { size } = statSync(from);
    writeAll(target, concatBytes(MAGIC, salt));
    const buffer = new Uint8Array(PIECE_BYTES);
    for (let piece = 0, at = 0; ; piece += 1) {
      const length = readSync(source, buffer, 0, PIECE_BYTES, at);
      at += length;
      const isLast = at >= size || length === 0;
      const cipher = createCipheriv(CIPHER, key, nonceOf(piece, isLast));
      writeAll(target, cipher.update(buffer.subarray(0, length)));
      cipher.final();
      writeAll(target, cipher.getAuthTag());
      told(length);
      if (isLast) break;
    }
    fsyncSync(target);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

/** The reverse. Throws ProtocolError `unauthenticated` where it was not made so; then `to` is to be thrown away. */
export function decryptFile(
  backupKey: Uint8Array,
  name: string,
  from: string,
  to: string,
  told: (bytes: number) => void,
): void {
  const [source, target] = [openSync(from, "r"), openSync(to, "wx", 0o600)];
  try {
    const { size } = statSync(from);
    const head = new Uint8Array(MAGIC.length + SALT_BYTES);
    const whole = readSync(source, head, 0, head.length, 0) === head.length;
    if (!whole || !MAGIC.every((byte, i) => head[i] === byte)) throw damaged(name);
    const key = keyOf(backupKey, name, head.slice(MAGIC.length));
    const buffer = new Uint8Array(PIECE_BYTES + TAG_BYTES);
    for (let piece = 0, at = head.length; ; piece += 1) {
      const length = readSync(source, buffer, 0, buffer.length, at);
      at += length;
      const isLast = at >= size;
      if (length < TAG_BYTES) throw damaged(name);
      writeAll(target, openPiece(key, name, buffer.subarray(0, length), nonceOf(piece, isLast)));
      told(length);
      if (isLast) break;
    }
    fsyncSync(target);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

function openPiece(
  key: Uint8Array,
  name: string,
  sealed: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const decipher = createDecipheriv(CIPHER, key, nonce);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    decipher.final();
    return plain;
  } catch (cause) {
    throw damaged(name, cause);
  }
}

function damaged(name: string, cause?: unknown): ProtocolError {
  return new ProtocolError(
    "unauthenticated",
    `backup of ${name}: is damaged, or sealed by another backup key`,
    { cause },
  );
}

function writeAll(handle: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
}
