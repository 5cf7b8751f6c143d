/**
 * Copies of the signed heads on another machine (P-51): a file of lines that only grows, in a directory that is mounted
 * from there or carried there. Whoever rewrites a trail and the anchors beside it has not rewritten these.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ProtocolError, toHex } from "@kerbside/protocol";
import type { AuditHead } from "./audit-chain.ts";
import type { Database } from "./database.ts";
import { makeDirectory, readIfThere, syncDirectory } from "./files.ts";

const FILE = "audit-heads.jsonl";
/** Heads in one write. */
const HEADS_AT_ONCE = 1000;

export type HeadCopy = AuditHead & { readonly signature: Uint8Array };
type Row = HeadCopy & { readonly owner: string };

const HEX = /^(?:[0-9a-f]{2})+$/;

/** By the trail they are of. A last line that is cut off is left out. Throws `malformed`, naming the line. */
export function readHeads(directory: string): ReadonlyMap<string, readonly HeadCopy[]> {
  const text = Buffer.from(readIfThere(join(directory, FILE)) ?? []).toString("utf8");
  const heads = new Map<string, HeadCopy[]>();
  const lines = text.split("\n").slice(0, -1);
  for (const [i, line] of lines.entries()) {
    const row = parseHead(line);
    if (row === undefined)
      throw new ProtocolError("malformed", `${FILE}, line ${i + 1}: expected a signed head`);
    const { owner, ...head } = row;
    const of = heads.get(owner) ?? [];
    of.push(head);
    heads.set(owner, of);
  }
  return heads;
}

function parseHead(line: string): Row | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { owner, seq, hash, signature } = { ...value } as Record<string, unknown>;
  const isHex = (text: unknown): text is string => typeof text === "string" && HEX.test(text);
  if (typeof owner !== "string" || typeof seq !== "number" || !isHex(hash) || !isHex(signature))
    return undefined;
  const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
  return { owner, seq, hash: bytes(hash), signature: bytes(signature) };
}

export type AnchorCopies = {
  /** Adds what is new, durably. Returns how many heads. Throws `storage_failed`. */
  readonly round: () => number;
};

export function anchorCopies(anchors: Database, directory: string): AnchorCopies {
  makeDirectory(directory);
  const upTo = new Map<string, number>();
  for (const [owner, heads] of readHeads(directory)) upTo.set(owner, heads.at(-1)?.seq ?? 0);
  const file = join(directory, FILE);
  const owners = (): readonly string[] =>
    anchors
      .read((sql) => sql.all<{ owner: string }>("SELECT DISTINCT owner FROM anchors"))
      .map(({ owner }) => owner);
  const some = (owner: string): readonly Row[] =>
    anchors.read((sql) =>
      sql.all<Row>(
        "SELECT owner, seq, hash, signature FROM anchors WHERE owner = ? AND seq > ? ORDER BY seq LIMIT ?",
        ...[owner, upTo.get(owner) ?? 0, HEADS_AT_ONCE],
      ),
    );
  return {
    round: () => {
      let count = 0;
      for (const owner of owners())
        for (let rows = some(owner); rows.length > 0; rows = some(owner)) {
          append(file, rows);
          upTo.set(owner, rows.at(-1)?.seq ?? 0);
          count += rows.length;
        }
      if (count > 0) syncDirectory(directory);
      return count;
    },
  };
}

function append(file: string, rows: readonly Row[]): void {
  const lines = rows.map(({ owner, seq, hash, signature }) =>
    JSON.stringify({ owner, seq, hash: toHex(hash), signature: toHex(signature) }),
  );
  try {
    const handle = openSync(file, "a", 0o600);
    try {
      const bytes = Buffer.from(`${lines.join("\n")}\n`);
      for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch (cause) {
    throw new ProtocolError("storage_failed", `${file}: cannot be written`, { cause });
  }
}
