/** `buffer …` as a process of its own, to be killed. */
import { runBuffer } from "@kerbside/buffer";

process.exitCode = await runBuffer(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
});
