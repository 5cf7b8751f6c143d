/** `kerbside-agent profile …`, with schemes: what `device` calls. */
import type { CanIo, ExitCode } from "../cli/io.ts";
import { profileCommand } from "../profile/cli.ts";
import { checkScheme } from "./check.ts";
import { schemeSchema } from "./schema.ts";

/** `args` are those after `profile`. Returns the exit status; errors are on standard error by then. */
export function runProfile(
  args: readonly string[],
  io: Pick<CanIo, "stdout" | "stderr">,
): ExitCode {
  return profileCommand(args, io, { schema: schemeSchema, check: checkScheme });
}
