/**
 * A file of what was found, a line of JSON for each mutant as it ends, so that a run can go on where another was ended.
 * Only kills by a failure (not by the time limit) are believed again, and only while the source and the file of the
 * test that killed read as they did: what survived may have met its test since.
 */
import { hash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Ending, sourceOf, type Tried } from "./engine.ts";
import type { Mutant } from "./mutants.ts";
import { ROOT } from "./targets.ts";

type Kill = Extract<Ending, { kind: "killed" }>;

export type Kept = {
  /** How it was killed, if it was and that still holds. */
  readonly kill: (mutant: Mutant) => Kill | undefined;
  readonly add: (tried: Tried) => void;
};

type Line = Tried & { readonly readAs: string };

const nameOf = ({ file, from, to, text }: Mutant): string => `${file} ${from} ${to} ${text}`;

const isLine = (value: unknown): value is Line =>
  typeof value === "object" && value !== null && "mutant" in value && "readAs" in value;

/** `path` undefined: nothing is kept. A line cut short by the end of a run counts as not there. */
export function openKept(path: string | undefined): Kept {
  const digests = new Map<string, string>();
  const digest = (file: string): string => {
    const known = digests.get(file) ?? hash("sha256", sourceOf(file));
    digests.set(file, known);
    return known;
  };
  const readAs = ({ file }: Mutant, ending: Ending): string =>
    ending.kind === "killed" ? `${digest(file)} ${digest(ending.file)}` : digest(file);
  const lines = new Map<string, Line>();
  if (path !== undefined && existsSync(path)) {
    for (const text of readFileSync(path, "utf8").split("\n")) {
      const line = parsed(text);
      if (line !== undefined) lines.set(nameOf(line.mutant), line);
    }
  }
  return {
    kill: (mutant) => {
      const line = lines.get(nameOf(mutant));
      // On a machine that was busy then, what was late may not be so now.
      if (
        line?.ending.kind !== "killed" ||
        line.ending.late ||
        !existsSync(join(ROOT, line.ending.file))
      )
        return undefined;
      return line.readAs === readAs(mutant, line.ending) ? line.ending : undefined;
    },
    add: (tried) => {
      if (path === undefined) return;
      const line = { ...tried, readAs: readAs(tried.mutant, tried.ending) };
      appendFileSync(path, `${JSON.stringify(line)}\n`);
    },
  };
}

function parsed(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
