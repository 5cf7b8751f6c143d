/** `kerbside-cloud`: the table of its commands, and the door to the terminal. */
import { ACCOUNT_COMMANDS } from "./cli/account-commands.ts";
import { BACKUP_COMMANDS } from "./cli/backup-commands.ts";
import type { Command } from "./cli/command.ts";
import { DATA_COMMANDS } from "./cli/data-commands.ts";
import { ERASE_COMMANDS } from "./cli/erase-commands.ts";
import { KEY_COMMANDS } from "./cli/key-commands.ts";
import { runCli } from "./cli/run.ts";
import { SEND_COMMANDS } from "./cli/send-command.ts";
import { SERVE_COMMANDS } from "./cli/serve-commands.ts";
import { TENANT_COMMANDS } from "./cli/tenant-commands.ts";
import { VEHICLE_COMMANDS } from "./cli/vehicle-commands.ts";
import { environment } from "./config.ts";

const COMMANDS: readonly Command[] = [
  ...SERVE_COMMANDS,
  ...TENANT_COMMANDS,
  ...ACCOUNT_COMMANDS,
  ...VEHICLE_COMMANDS,
  ...KEY_COMMANDS,
  ...SEND_COMMANDS,
  ...DATA_COMMANDS,
  ...ERASE_COMMANDS,
  ...BACKUP_COMMANDS,
];

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
