/**
 * One cage: a process in namespaces of its own (user, network, mount, process) whose root holds Node, the engine and
 * its modules and nothing else, read-only, with an empty environment and Node's permission model on top. It is spoken
 * to over pipes whose every byte is bounded and checked; Node's own IPC is not used, because a child that writes
 * garbage to it ends its parent.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { sep } from "node:path";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Clock } from "@kerbside/protocol";
import { type FromCage, LineReader, parseFromCage, type ToCage } from "./lines.ts";

export type CageEnd =
  /** It ended, or could not be made, before it was ready. `detail` is what the system said. */
  | { readonly why: "not_started"; readonly detail: string }
  | { readonly why: "ended" }
  /** It said more than is allowed, or something that is no line. */
  | { readonly why: "flood" };

export type CageListener = {
  readonly message: (message: FromCage) => void;
  /** Once, last, however it came to an end. */
  readonly ended: (end: CageEnd) => void;
};

/** What a cage uses of the machine. */
export type CageUse = { readonly memoryBytes: number; readonly cpuMs: number };

export type Cage = {
  /** False: too much is waiting already, and this is dropped. */
  readonly tell: (message: ToCage) => boolean;
  /** Undefined: it has just ended, or is being made. */
  readonly use: () => Promise<CageUse | undefined>;
  readonly kill: () => void;
};

const QUEUE_BYTES_MAX = 512 * 1024;
/** What comes out of it, as a rate; far above what 60 events a minute need. */
const OUT_BYTES_PER_S_MAX = 128 * 1024;
const STDERR_BYTES_MAX = 1024;
const HEAP_MB_MAX = 96;
const FILES_MAX = 256;
const MS_PER_TICK = 10;
const PAGE_BYTES = 4096;
const PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin";

const SOURCE = import.meta.url.endsWith(".ts");
/** The folder of this package, and in it the engine. */
const PACKAGE_DIR = fileURLToPath(new URL(SOURCE ? "." : "..", import.meta.url)).replace(/\/$/, "");
const ENGINE = fileURLToPath(new URL(SOURCE ? "./engine.ts" : "./engine.js", import.meta.url));

/** Where Node-RED and what it needs are installed. */
function modulesDir(): string {
  const found = createRequire(import.meta.url).resolve("@node-red/runtime");
  const folder = `${sep}node_modules${sep}`;
  return found.slice(0, found.indexOf(folder) + folder.length - 1);
}

/** Starts a cage. `mountPoint` is an empty folder that it may cover, inside its own namespace only. Never throws. */
export function startCage(
  mountPoint: string,
  clock: Pick<Clock, "bootMs">,
  listener: CageListener,
): Cage {
  const modules = modulesDir();
  const args = [
    ...["--pdeathsig", "KILL"],
    ...["prlimit", "--core=0", "--fsize=0", `--nofile=${FILES_MAX}`],
    ...["unshare", "--user", "--map-root-user", "--net", "--mount", "--ipc", "--uts"],
    ...["--pid", "--fork", "--kill-child"],
    ...["sh", `${PACKAGE_DIR}/cage.sh`, mountPoint, process.execPath, PACKAGE_DIR, modules, "--"],
    ...["--permission", `--allow-fs-read=${PACKAGE_DIR}`, `--allow-fs-read=${modules}`],
    // node:sqlite opens files by itself, past the permission model.
    ...["--no-experimental-sqlite", "--no-addons", `--max-old-space-size=${HEAP_MB_MAX}`],
    ENGINE,
  ];
  const child = spawn("setpriv", args, {
    env: { PATH: PROGRAMS },
    cwd: "/",
    stdio: ["pipe", "ignore", "pipe", "pipe"],
  });
  return new ProcessCage(child, clock, listener);
}

class ProcessCage implements Cage {
  readonly #child: ChildProcess;
  readonly #in: Writable;
  readonly #clock: Pick<Clock, "bootMs">;
  readonly #listener: CageListener;
  readonly #reader = new LineReader();
  #stderr = "";
  #ready = false;
  #end: CageEnd | undefined;
  #told = false;
  #budget = OUT_BYTES_PER_S_MAX;
  #budgetMs: number;

  constructor(child: ChildProcess, clock: Pick<Clock, "bootMs">, listener: CageListener) {
    this.#child = child;
    this.#clock = clock;
    this.#listener = listener;
    this.#budgetMs = clock.bootMs();
    const { stdin, stderr } = child;
    const out = child.stdio[3];
    if (!(out instanceof Readable && stdin instanceof Writable && stderr instanceof Readable)) {
      throw new Error("a pipe to the cage is no stream");
    }
    this.#in = stdin;
    out.on("data", (chunk: Uint8Array) => this.#take(chunk));
    out.on("error", () => this.kill());
    stdin.on("error", () => this.kill());
    stderr.on("data", (chunk: Uint8Array) => {
      // What a flow writes there later is nobody's business.
      if (this.#ready || this.#stderr.length > STDERR_BYTES_MAX) return;
      this.#stderr += Buffer.from(chunk).toString("utf8", 0, STDERR_BYTES_MAX);
    });
    child.once("error", (error) => {
      this.#stderr = error.message;
      this.#finish();
    });
    child.once("close", () => this.#finish());
  }

  tell(message: ToCage): boolean {
    if (this.#in.destroyed || this.#in.writableLength > QUEUE_BYTES_MAX) return false;
    this.#in.write(`${JSON.stringify(message)}\n`);
    return true;
  }

  async use(): Promise<CageUse | undefined> {
    try {
      const own = this.#child.pid;
      // `unshare` waits outside; its one child is the cage.
      const inside = Number.parseInt(
        await readFile(`/proc/${own}/task/${own}/children`, "utf8"),
        10,
      );
      const memory = await readFile(`/proc/${inside}/statm`, "utf8");
      const stat = await readFile(`/proc/${inside}/stat`, "utf8");
      // proc(5): after the name in brackets, utime and stime are the 12th and 13th field.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const ticks = Number(fields[11]) + Number(fields[12]);
      return {
        memoryBytes: Number(memory.split(" ")[1]) * PAGE_BYTES,
        cpuMs: ticks * MS_PER_TICK,
      };
    } catch {
      return undefined;
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #take(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    const now = this.#clock.bootMs();
    const earned = ((now - this.#budgetMs) * OUT_BYTES_PER_S_MAX) / 1000;
    this.#budget = Math.min(OUT_BYTES_PER_S_MAX, this.#budget + earned) - chunk.length;
    this.#budgetMs = now;
    const lines = this.#budget < 0 ? undefined : this.#reader.push(chunk);
    if (lines === undefined) {
      this.#flood();
      return;
    }
    for (const line of lines) {
      const message = parseFromCage(line);
      if (message === undefined) {
        this.#flood();
        return;
      }
      if (message.type === "ready") this.#ready = true;
      this.#listener.message(message);
    }
  }

  #flood(): void {
    this.#end = { why: "flood" };
    this.kill();
  }

  #finish(): void {
    const detail = this.#stderr.trim().slice(0, STDERR_BYTES_MAX);
    this.#end ??= this.#ready ? { why: "ended" } : { why: "not_started", detail };
    // A program that could not be started tells an error and a close.
    if (this.#told) return;
    this.#told = true;
    this.#listener.ended(this.#end);
  }
}
