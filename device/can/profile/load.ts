/** Profiles from bytes and from files. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileDbc, type Dbc, DbcError, parseDbc } from "../dbc/index.ts";
import { checkerOf } from "./check.ts";
import { type CompiledProfile, linkProfile } from "./link.ts";
import { lintProfile } from "./lint.ts";
import { type Profile, ProfileError, type ProfileProblem } from "./model.ts";
import { profileSchema } from "./schema.ts";

export type ProfileSource = {
  /** Names it in problems. */
  readonly file: string;
  readonly json: string | Uint8Array;
  /** The DBC of that name, or undefined if there is none. May throw for one that cannot be read. */
  readonly dbc: (name: string) => Uint8Array | undefined;
};

export type ProfileCheck = {
  /** Undefined if an error is among the problems. */
  readonly compiled: CompiledProfile | undefined;
  readonly problems: readonly ProfileProblem[];
};

const checkDocument = checkerOf<Profile>(profileSchema);
/** Lines of a DBC that are told one by one; the rest is counted. */
const DBC_PROBLEMS_TOLD = 5;

/** Reads, links and lints a profile. Never throws for what is in it. */
export function checkProfile(source: ProfileSource): ProfileCheck {
  const checked = checkDocument(source.file, source.json);
  if (!checked.ok) return { compiled: undefined, problems: checked.problems };
  const profile = checked.value;
  const problems: ProfileProblem[] = [];
  const dbcs = profile.dbc.flatMap((name, i) => readDbc(source, name, `/dbc/${i}`, problems));
  if (dbcs.length < profile.dbc.length) return { compiled: undefined, problems };
  const { compiled, problems: linking } = linkProfile(source.file, profile, compileDbc(...dbcs));
  problems.push(...linking, ...lintProfile(source.file, compiled));
  const failed = problems.some(({ severity }) => severity === "error");
  return { compiled: failed ? undefined : compiled, problems };
}

function readDbc(
  source: ProfileSource,
  name: string,
  path: string,
  problems: ProfileProblem[],
): Dbc[] {
  const report = (severity: "error" | "warning", message: string): void => {
    problems.push({ file: source.file, path, severity, message });
  };
  try {
    const bytes = source.dbc(name);
    if (bytes === undefined) {
      report("error", `${name}: no such file beside the profile`);
      return [];
    }
    const dbc = parseDbc(bytes, { file: name });
    for (const { line, column, message } of dbc.problems.slice(0, DBC_PROBLEMS_TOLD)) {
      report("warning", `${name}:${line}:${column}: ${message}`);
    }
    const more = dbc.problems.length - DBC_PROBLEMS_TOLD + dbc.problemsUnlisted;
    if (more > 0) report("warning", `${name}: and ${more} more`);
    return [dbc];
  } catch (error) {
    if (!(error instanceof DbcError || isSystemError(error))) throw error;
    report("error", error.message);
    return [];
  }
}

/** What a file that cannot be read throws. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "code" in error;
}

/** A profile for use. Throws ProfileError. */
export function loadProfile(source: ProfileSource): CompiledProfile {
  const { compiled, problems } = checkProfile(source);
  if (compiled === undefined) {
    throw new ProfileError(problems.filter(({ severity }) => severity === "error"));
  }
  return compiled;
}

/** Checks a profile file; its DBCs are read from the same folder. `path` may be that folder. */
export function checkProfileFile(path: string): ProfileCheck {
  const found = statSync(path, { throwIfNoEntry: false });
  const file = found?.isDirectory() === true ? join(path, "profile.json") : path;
  try {
    const folder = dirname(file);
    return checkProfile({
      file,
      json: readFileSync(file),
      dbc: (name) => {
        const at = join(folder, basename(name));
        return existsSync(at) ? readFileSync(at) : undefined;
      },
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return {
      compiled: undefined,
      problems: [{ file, path: "", severity: "error", message: error.message }],
    };
  }
}

/** Throws ProfileError. */
export function readProfile(path: string): CompiledProfile {
  const { compiled, problems } = checkProfileFile(path);
  if (compiled !== undefined) return compiled;
  throw new ProfileError(problems.filter(({ severity }) => severity === "error"));
}

/** Where the profiles are that come with the agent, run from source or built. */
function shippedFolder(): string {
  const candidates = ["../profiles", "../../profiles"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(join(path, "kerbside-sim")));
  if (found === undefined) throw new Error(`no profiles in ${candidates.join(" or ")}`);
  return found;
}

/** Names of the profiles that come with the agent. */
export function shippedProfiles(): string[] {
  const folder = shippedFolder();
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "profile.json")))
    .sort();
}

/** A profile that comes with the agent. Throws ProfileError, also for a name there is none of. */
export function readShippedProfile(name: string): CompiledProfile {
  if (!shippedProfiles().includes(name)) {
    const message = `no such profile; there are ${shippedProfiles().join(", ")}`;
    throw new ProfileError([{ file: name, path: "", severity: "error", message }]);
  }
  return readProfile(join(shippedFolder(), name));
}
