/** Runs a `can` command in this process, on real streams and real files. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { type CanIo, runCan } from "@kerbside/can";

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** A terminal, as far as the command can tell. */
export type Terminal = { readonly columns: number; readonly rows: number };

export async function can(
  args: readonly string[],
  options: {
    stdin?: Iterable<Uint8Array | string>;
    terminal?: Terminal;
    errTerminal?: boolean;
    more?: Partial<CanIo>;
  } = {},
): Promise<Ran> {
  const stdout = Object.assign(
    new PassThrough(),
    { isTTY: options.terminal !== undefined },
    options.terminal,
  );
  const stderr = Object.assign(new PassThrough(), { isTTY: options.errTerminal === true });
  let out = "";
  let err = "";
  stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const chunks = [...(options.stdin ?? [])].map((c) =>
    typeof c === "string" ? Buffer.from(c) : c,
  );
  const code = await runCan(args, {
    stdin: Readable.from(chunks),
    stdout,
    stderr,
    ...options.more,
  });
  return { code, out, err };
}

/** Files in a folder of their own, which is gone after `use`. */
export async function withFiles<T>(
  files: Readonly<Record<string, string>>,
  use: (path: (name: string) => string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-can-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return await use((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
