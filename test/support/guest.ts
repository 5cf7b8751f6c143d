/** A real CAN bus where the machine's kernel has none: commands run in a guest that `vcan.sh` boots. */
import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./vcan.sh", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
/** Seconds after which the guest is ended. */
const LIFE_S = 110;

export type GuestOptions = {
  readonly lifeS?: number;
  /** Called with each line as it comes, and with the process that is the guest's ancestor here. */
  readonly onLine?: (line: string, pid: number) => void;
};

export type GuestResult = { readonly status: number | null; readonly lines: readonly string[] };

/** Runs a command in the guest, in an empty folder. Status 125: the guest died. */
export async function inGuest(
  command: string,
  args: readonly string[],
  { lifeS = LIFE_S, onLine = () => undefined }: GuestOptions = {},
): Promise<GuestResult> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-guest-"));
  try {
    const child = spawn(SCRIPT, [command, ...args], {
      cwd: folder,
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        VCAN_TIMEOUT: String(lifeS),
        VCAN_MOUNTS: `${ROOT}:${dirname(realpathSync(process.execPath))}`,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "") return;
      lines.push(line);
      onLine(line, child.pid ?? 0);
    });
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    return { status, lines };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The scenarios of socketcan-guest-process.ts, by name. Throws with the guest's words if one failed. */
export async function runScenarios(...names: readonly string[]): Promise<Map<string, unknown>> {
  const program = fileURLToPath(
    new URL("../device/can/socketcan-guest-process.ts", import.meta.url),
  );
  const { status, lines } = await inGuest(realpathSync(process.execPath), [program, ...names]);
  const results = new Map<string, unknown>();
  for (const line of lines.filter((text) => text.startsWith("{"))) {
    const { scenario, value, error } = JSON.parse(line);
    if (error !== undefined) throw new Error(`${scenario}: ${error}`);
    results.set(scenario, value);
  }
  if (results.size < names.length) throw new Error(`guest: status ${status}: ${lines.join("\n")}`);
  return results;
}
