/**
 * What ended without being asked to (P-53): the supervisor, which holds no store, notes it in a file; the node enters it
 * in the platform's audit trail, for good, when it comes up and every minute after. Entered twice after a crash in
 * between, and never lost.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import {
  type AuditEntry,
  type Clock,
  type Log,
  ProtocolError,
  type Timer,
} from "@kerbside/protocol";

const FILE = "service-ends.jsonl";
const TAKEN = "service-ends.taken.jsonl";
/** Beyond this the log alone has them, until a node has come up and entered what is there. */
const FILE_BYTES_MAX: number = 4 * 1024 * 1024;
const ENTERED_EVERY_MS = 60_000;

export type ServiceEnd = {
  readonly name: string;
  /** Exit status or signal. */
  readonly how: string;
  /** Unix time. */
  readonly atMs: number;
};

/** Durable when it returns; a disk that fails is left to the log. */
export function noteEnd(dir: string, end: ServiceEnd): void {
  try {
    const handle = openSync(join(dir, FILE), "a", 0o600);
    try {
      if (fstatSync(handle).size > FILE_BYTES_MAX) return;
      writeSync(handle, `${JSON.stringify(end)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    // The supervisor has to start the service again whatever the disk does.
  }
}

/** Enters what was noted now, and from time to time. Returns how to stop. */
export function enterEnds(
  dir: string,
  audit: (entry: AuditEntry) => void,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): () => void {
  let timer: Timer;
  const go = (): void => {
    try {
      enterNow(dir, audit);
    } catch (error) {
      // The disk's: what was noted stays, and is entered when it can be.
      log.warn("service.unentered", { reason: errorWords(error) });
    }
    timer = clock.after(ENTERED_EVERY_MS, go);
  };
  go();
  return () => timer.cancel();
}

function enterNow(dir: string, audit: (entry: AuditEntry) => void): void {
  const [file, taken] = [join(dir, FILE), join(dir, TAKEN)];
  if (!existsSync(taken)) {
    if (!existsSync(file)) return;
    renameSync(file, taken);
  }
  for (const ends of Map.groupBy(readEnds(taken), ({ name, how }) => `${name} ${how}`).values()) {
    const [first] = ends;
    if (first === undefined) continue;
    const times = ends.length === 1 ? "" : `, ${ends.length} times`;
    const reason = `ended with ${first.how} at ${new Date(first.atMs).toISOString()}${times}`;
    const subject = `service:${first.name}`;
    audit({ actor: "supervisor", action: "service.end", subject, outcome: "failed", reason });
  }
  rmSync(taken);
}

const errorWords = (error: unknown): string =>
  error instanceof ProtocolError ? error.code : "the file of ends cannot be read";

/** A line that is none, as a power cut leaves it, is passed over. */
function readEnds(file: string): readonly ServiceEnd[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        const value: unknown = JSON.parse(line);
        const { name, how, atMs } = { ...(value as object) } as Record<string, unknown>;
        const isEnd =
          typeof name === "string" && typeof how === "string" && typeof atMs === "number";
        return isEnd ? [{ name, how, atMs }] : [];
      } catch {
        return [];
      }
    });
}
