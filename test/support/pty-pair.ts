/** Two ttys that are one line, by socat: what is written into one comes out of the other. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { until } from "./wait.ts";

export type PtyPair = {
  readonly module: string;
  readonly controller: string;
  /** Pulls the line apart: both ends are gone until `join`. */
  readonly cut: () => Promise<void>;
  readonly join: () => Promise<void>;
};

/** Makes the pair in `dir`. `cut` also ends it for good. */
export async function ptyPair(dir: string): Promise<PtyPair> {
  const [module, controller] = [`${dir}/tty-module`, `${dir}/tty-controller`];
  let child: ChildProcess | undefined;
  const join = async (): Promise<void> => {
    const end = (link: string): string => `pty,raw,echo=0,link=${link}`;
    child = spawn("socat", [end(module), end(controller)], { stdio: "ignore" });
    await until("both ttys", () => existsSync(module) && existsSync(controller));
  };
  const cut = async (): Promise<void> => {
    const was = child;
    child = undefined;
    if (was === undefined) return;
    const gone = new Promise<void>((resolve) => was.once("exit", () => resolve()));
    was.kill("SIGTERM");
    await gone;
  };
  await join();
  return { module, controller, cut, join };
}
