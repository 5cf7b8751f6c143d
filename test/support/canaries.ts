/**
 * Canaries: values that stand for somebody's personal data, each found nowhere else, and the search for them in
 * everything that a system leaves behind, in the forms in which text and numbers lie in files.
 */
import { randomBytes, randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Canary = { readonly what: string; readonly value: string | number };

/** Different in each run, so that nothing of an earlier one is found. */
export function newCanaries() {
  const letters = (): string => randomBytes(6).toString("hex").replaceAll(/\d/g, "q");
  return {
    name: `Wren ${letters()}`,
    email: `${letters()}@canary.test`,
    phone: `+4930${randomInt(1e7, 1e8)}`,
    birthDate: `19${randomInt(30, 99)}-0${randomInt(1, 9)}-${randomInt(10, 28)}`,
    address: `${letters()} lane 7`,
    licence: `B${letters().toUpperCase()}`,
    nationalId: `L${letters().toUpperCase()}`,
    cardUid: `04${randomBytes(6).toString("hex")}`,
  };
}

/** A float of 4 bytes is not searched for: among so many encrypted bytes it would be found by chance. */
function formsOf({ value }: Canary): readonly Buffer[] {
  if (typeof value === "number") {
    const bytes = Buffer.alloc(16);
    bytes.writeDoubleBE(value, 0);
    bytes.writeDoubleLE(value, 8);
    return [Buffer.from(String(value)), bytes.subarray(0, 8), bytes.subarray(8, 16)];
  }
  const plain = Buffer.from(value);
  const base64 = (encoding: "base64" | "base64url"): Buffer =>
    Buffer.from(plain.toString(encoding).replace(/=+$/, "").slice(0, -1));
  return [
    plain,
    Buffer.from(value.toUpperCase()),
    Buffer.from(encodeURIComponent(value)),
    Buffer.from(value, "utf16le"),
    Buffer.from(plain.toString("hex")),
    base64("base64"),
    base64("base64url"),
    ...(/^(?:[0-9a-f]{2}){6,}$/.test(value) ? [Buffer.from(value, "hex")] : []),
  ];
}

/** Which canaries are in it, by name. */
export function found(canaries: readonly Canary[], content: Buffer | string): readonly string[] {
  const bytes = Buffer.from(content);
  return canaries
    .filter((canary) => formsOf(canary).some((form) => bytes.includes(form)))
    .map(({ what }) => what);
}

/** `path: what` of each file below a folder that holds one; folders in `except` are not looked into. */
export function sweep(
  folder: string,
  canaries: readonly Canary[],
  except: readonly string[] = [],
): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !except.some((skipped) => file.startsWith(`${skipped}/`)))
    .flatMap((file) => found(canaries, readFileSync(file)).map((what) => `${file}: ${what}`));
}

/** Titles and arguments of a process and of those that it started: anybody on the machine may read them. */
export function titles(): string {
  const own = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return own
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        // It has ended meanwhile.
        return "";
      }
    })
    .join("\n");
}

/** Lets this process and those it starts keep their temporary files below a folder. Returns how to undo it. */
export function temporaryFilesIn(folder: string): () => void {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  return () => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  };
}
