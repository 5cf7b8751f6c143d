/** `kerbside-cloud` without a process of its own: the same words, output and status, and no half second of start. */
import { COMMANDS, runCli } from "@kerbside/cloud";
import type { Ran } from "./cloud-process.ts";

const MS_MAX = 60_000;

export async function callCloud(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  let [out, err] = ["", ""];
  const code = await runCli(COMMANDS, words, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { USER: "tester", ...env },
    stop: AbortSignal.timeout(MS_MAX),
  });
  return { code, out, err };
}
