/**
 * Starts the services as processes of their own, each with only its own secret in its environment, and starts again
 * one that dies. It holds no port, no store and no key after that; when it goes, its children go with it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Log } from "@kerbside/protocol";
import { type Environment, STAGE } from "./config.ts";
import { noteEnd } from "./crash-notes.ts";

export type Service = {
  readonly name: "signer" | "issuer" | "node";
  readonly args: readonly string[];
  /** The only variables it is given besides those that any program needs. */
  readonly env: Environment;
};

/** Waiting before a service that died is started again doubles from the first to the last. */
const RESTART_MS = { first: 100, last: 5000 } as const;
/** A service that has run this long starts again at once. */
const STEADY_MS = 10_000;
/** How long a service may take to end in order. */
const STOP_MS_MAX = 2000;
const READY_MS_MAX = 30_000;
const PASSED_ON = [
  "PATH",
  "LANG",
  "TZ",
  "HOME",
  "NODE_EXTRA_CA_CERTS",
  "NODE_COMPILE_CACHE",
  STAGE,
] as const;

/** This program itself, as source or as built. */
const main = fileURLToPath(import.meta.url).replace(/supervisor\.(ts|js)$/, "main.$1");

export type Supervised = {
  /** Resolves with what the service said when it first came up; rejects if it ended before. */
  readonly ready: Promise<Readonly<Record<string, unknown>>>;
  /** Never rejects. */
  readonly stop: () => Promise<void>;
};

/** The service could not even start once. It has said why on standard error. */
export class ServiceFailed extends Error {
  override readonly name = "ServiceFailed";
}

export function supervise(service: Service, env: Environment, cwd: string, log: Log): Supervised {
  const ready = Promise.withResolvers<Readonly<Record<string, unknown>>>();
  ready.promise.catch(() => undefined);
  let state: State = { at: "waiting" };
  let delayMs: number = RESTART_MS.first;
  let wasReady = false;
  const launch = (): void => {
    const passed = PASSED_ON.map((name) => [name, env[name]] as const);
    const child = fork(main, [...service.args], {
      cwd,
      env: {
        ...Object.fromEntries(passed.filter(([, value]) => value !== undefined)),
        ...service.env,
      },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const startedMs = performance.now();
    state = { at: "running", child };
    child.on("message", (said) => {
      wasReady = true;
      ready.resolve(typeof said === "object" && said !== null ? { ...said } : {});
    });
    child.once("exit", (code, signal) => {
      if (state.at === "stopped") return;
      if (!wasReady) {
        state = { at: "stopped" };
        ready.reject(new ServiceFailed(`${service.name} did not start`));
        return;
      }
      log.warn("service.ended", { name: service.name, code: code ?? -1 });
      const how = code === null ? `${signal}` : `status ${code}`;
      noteEnd(cwd, { name: service.name, how, atMs: Date.now() });
      if (performance.now() - startedMs > STEADY_MS) delayMs = RESTART_MS.first;
      state = { at: "waiting", timer: setTimeout(launch, delayMs) };
      delayMs = Math.min(2 * delayMs, RESTART_MS.last);
    });
  };
  launch();
  const late = setTimeout(
    () => ready.reject(new ServiceFailed(`${service.name} did not come up in time`)),
    READY_MS_MAX,
  );
  ready.promise.then(
    () => clearTimeout(late),
    () => clearTimeout(late),
  );
  return {
    ready: ready.promise,
    stop: async () => {
      const before = state;
      state = { at: "stopped" };
      if (before.at === "waiting") clearTimeout(before.timer);
      if (before.at === "running") await end(before.child);
    },
  };
}

type State =
  | { readonly at: "waiting"; readonly timer?: NodeJS.Timeout }
  | { readonly at: "running"; readonly child: ChildProcess }
  | { readonly at: "stopped" };

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  child.kill("SIGTERM");
  await gone;
  clearTimeout(timer);
}
