/** `kerbside-cloud`: the table of its commands, and the door to the terminal. */
import { COMMANDS } from "./cli/commands.ts";
import { runCli } from "./cli/run.ts";
import { environment } from "./config.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => stop.abort());
// A service that was started by the supervisor ends with it.
process.once("disconnect", () => stop.abort());
// The reader of a pipe went away (`kerbside-cloud events | head`): nobody is left to print for.
process.stdout.on("error", () => process.exit(0));

process.exitCode = await runCli(COMMANDS, process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: environment(),
  stop: stop.signal,
});
if (process.connected) process.disconnect();
