/** `kerbside-agent profile …`: for who writes profiles and schemes. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { TSchema } from "typebox";
import { type CanIo, EXIT_DONE, EXIT_FAILED, EXIT_USAGE, type ExitCode } from "../cli/io.ts";
import { checkProfileFile, shippedProfiles } from "./load.ts";
import { formatProfileProblem, type Profile, type ProfileProblem } from "./model.ts";
import { profileSchema } from "./schema.ts";

const HELP = `kerbside-agent profile check [--scheme FILE]… [--strict] [--json] FILE…
kerbside-agent profile list [--json]
kerbside-agent profile schema [profile|scheme]

check   looks a vehicle profile over (a file, or its folder; its DBC files lie beside it), and schemes
        against it. Exits 1 if there is an error; with --strict, a warning too. --json: one line a problem.
list    the profiles that come with the agent
schema  prints the JSON Schema of profiles or of schemes
`;

/** What schemes need of profiles is known here; what checks a scheme is handed in by the package's door. */
export type SchemeChecker = {
  readonly schema: TSchema;
  readonly check: (
    file: string,
    json: Uint8Array,
    profile: Profile,
  ) => { readonly problems: readonly ProfileProblem[] };
};

type Flags = {
  readonly scheme: readonly string[];
  readonly strict: boolean;
  readonly json: boolean;
};

/** `args` are those after `profile`. Resolves with the exit status: 0 done, 1 failed, 2 used wrongly. */
export function profileCommand(
  args: readonly string[],
  io: Pick<CanIo, "stdout" | "stderr">,
  schemes: SchemeChecker,
): ExitCode {
  const usage = (why: string): ExitCode => {
    io.stderr.write(`profile: ${why}\n\n${HELP}`);
    return EXIT_USAGE;
  };
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        scheme: { type: "string", multiple: true, default: [] },
        strict: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const [command, ...names] = positionals;
    if (values.help) {
      io.stdout.write(HELP);
      return EXIT_DONE;
    }
    switch (command) {
      case "check":
        return names.length === 0 ? usage("which file?") : check(names, values, io, schemes);
      case "list":
        for (const name of shippedProfiles()) {
          io.stdout.write(`${values.json ? JSON.stringify({ name }) : name}\n`);
        }
        return EXIT_DONE;
      case "schema": {
        const [which = "profile"] = names;
        if (which !== "profile" && which !== "scheme") return usage(`no schema of ${which}`);
        const schema = which === "profile" ? profileSchema : schemes.schema;
        io.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
        return EXIT_DONE;
      }
      default:
        return usage(command === undefined ? "which command?" : `no command "${command}"`);
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && `${error.code}`.startsWith("ERR_PARSE_ARGS")) {
      return usage(error.message);
    }
    throw error;
  }
}

function check(
  files: readonly string[],
  flags: Flags,
  io: Pick<CanIo, "stdout" | "stderr">,
  schemes: SchemeChecker,
): ExitCode {
  let bad = 0;
  for (const file of files) {
    const { compiled, problems } = checkProfileFile(file);
    const all = [...problems];
    for (const scheme of compiled === undefined ? [] : flags.scheme) {
      all.push(...checkScheme(scheme, compiled?.profile, schemes));
    }
    for (const problem of all) {
      io.stdout.write(`${flags.json ? JSON.stringify(problem) : formatProfileProblem(problem)}\n`);
    }
    const errors = all.filter(({ severity }) => severity === "error").length;
    bad += flags.strict ? all.length : errors;
    if (flags.json) continue;
    const signals = Object.keys(compiled?.profile.signals ?? {}).length;
    const verdict = errors > 0 ? "refused" : `good, ${signals} signals`;
    io.stdout.write(`${file}: ${verdict}; errors ${errors}, warnings ${all.length - errors}\n`);
  }
  return bad === 0 ? EXIT_DONE : EXIT_FAILED;
}

function checkScheme(
  file: string,
  profile: Profile | undefined,
  schemes: SchemeChecker,
): readonly ProfileProblem[] {
  if (profile === undefined) return [];
  try {
    return schemes.check(file, readFileSync(file), profile).problems;
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    return [{ file, path: "", severity: "error", message: error.message }];
  }
}
