/**
 * A live replica of a data directory (P-90): databases by shipping their write-ahead logs, files that are replaced as a
 * whole by copying them. It is a data directory itself: a cloud that is started on it serves. Subject keys are copied
 * when they change, and never pinned, so that a key that is destroyed is gone from the log at once and from here with
 * the next round.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Clock, type Log, ProtocolError, type Timer } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { type DataFile, dataFiles } from "./data-files.ts";
import { readIfThere } from "./files.ts";
import { directoryTarget, type ReplicaTarget } from "./replica-target.ts";
import { stageOf } from "./stage.ts";
import { shipWal, type WalShipper } from "./wal-shipper.ts";

export type ReplicaRound = {
  readonly files: number;
  readonly bytes: number;
  /** What failed, and is begun anew with the next round. */
  readonly failed: readonly string[];
};

export type Replica = {
  /** Brings the replica up to what was committed before the call, except for what it says has failed. */
  readonly round: () => Promise<ReplicaRound>;
  /** After a round that was cut off: the next goes on from the last that was not, as far as that can be. */
  readonly rewind: () => void;
  readonly close: () => void;
};

/** Throws ProtocolError `malformed` where one directory lies in the other, `conflict` where it is of the other stage. */
export function openReplica(source: string, target: string): Replica {
  if (`${target}/`.startsWith(`${source}/`) || `${source}/`.startsWith(`${target}/`))
    throw new ProtocolError("malformed", "replica: expected a directory of its own");
  const to = directoryTarget(target);
  to.stage(stageOf(source));
  return replicaTo(source, to);
}

export function replicaTo(source: string, target: ReplicaTarget): Replica {
  const shippers = new Map<string, WalShipper>();
  const seen = new Map<string, string>();
  const drop = (path: string): void => {
    shippers.get(path)?.close();
    shippers.delete(path);
    seen.delete(path);
  };
  const copyChanged = (path: string, files: readonly string[], read: () => Uint8Array): number => {
    const state = files.map(stateOf).join(" ");
    if (seen.get(path) === state) return 0;
    const content = read();
    target.put(path, content);
    seen.set(path, state);
    return content.length;
  };
  /** What there is a copy of already, or what is small: without waiting. */
  const copyNow = ({ path, kind }: DataFile): number => {
    const from = join(source, path);
    switch (kind) {
      case "log":
      case "store":
        return shippers.get(path)?.step() ?? 0;
      case "sealed":
        return copyChanged(path, [from], () => readIfThere(from) ?? new Uint8Array());
      case "keys":
        return copyChanged(path, [from, `${from}-wal`], () => wholeKeys(from));
    }
  };
  const copy = async (file: DataFile): Promise<number> => {
    if (isDatabase(file) && !shippers.has(file.path))
      shippers.set(file.path, await shipWal(join(source, file.path), target.database(file.path)));
    return copyNow(file);
  };
  const round = async (): Promise<ReplicaRound> => {
    const files = dataFiles(source);
    const there = new Set(files.map(({ path }) => path));
    for (const path of [...shippers.keys(), ...seen.keys()]) if (!there.has(path)) drop(path);
    target.keepTenants(tenantsOf(source));
    let bytes = 0;
    const failed: string[] = [];
    const attempt = async (path: string, run: () => number | Promise<number>): Promise<void> => {
      try {
        bytes += await run();
        await target.room();
      } catch (error) {
        if (error instanceof LinkLost) throw error;
        // Removed meanwhile, busy, or no room: said by name, and begun anew.
        failed.push(path);
        drop(path);
      }
    };
    const others = files.filter(({ kind }) => kind !== "log");
    const copyOthers = async (): Promise<void> => {
      for (const file of others) await attempt(file.path, () => copy(file));
    };
    const othersNow = (): void => {
      for (const file of others) bytes += copyNow(file);
    };
    // An anchor speaks of what its trail has already. So how far anchors go is looked at before the trails are copied,
    // and they are copied after them: whenever this ends, no anchor is there without its entry.
    const logs = marksOf(files, shippers);
    await copyOthers();
    for (const { path, shipper, until } of logs)
      await attempt(path, () => shipper.step(until, othersNow));
    for (const file of files)
      if (file.kind === "log" && !shippers.has(file.path)) {
        await attempt(file.path, () => copy(file));
        await copyOthers();
      }
    await target.settled();
    for (const shipper of shippers.values()) shipper.settle();
    return { files: files.length, bytes, failed };
  };
  return {
    round,
    rewind: () => {
      // Small, and sent again as a whole.
      seen.clear();
      for (const [path, shipper] of [...shippers]) if (!shipper.rewind()) drop(path);
    },
    close: () => {
      for (const path of [...shippers.keys()]) drop(path);
      target.close();
    },
  };
}

const isDatabase = ({ kind }: DataFile): boolean => kind === "log" || kind === "store";

function marksOf(files: readonly DataFile[], shippers: ReadonlyMap<string, WalShipper>) {
  return files.flatMap(({ path, kind }) => {
    const shipper = kind === "log" ? shippers.get(path) : undefined;
    return shipper === undefined ? [] : [{ path, shipper, until: shipper.mark() }];
  });
}

/** Nobody is at the other end of a replica any more. */
export class LinkLost extends Error {
  override readonly name = "LinkLost";
}

function tenantsOf(source: string): readonly string[] {
  const tenants = join(source, "tenants");
  return existsSync(tenants) ? readdirSync(tenants) : [];
}

function stateOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}

/** As one consistent file. */
function wholeKeys(from: string): Uint8Array {
  const db = new BetterSqlite3(from, { readonly: true, fileMustExist: true });
  try {
    return db.serialize();
  } finally {
    db.close();
  }
}

export type KeepParts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly told?: (round: ReplicaRound) => void;
  /** The replica cannot go on: by default that is thrown. */
  readonly lost?: (error: unknown) => void;
};

/** Rounds one after the other until it is stopped. Returns how to stop. */
export function keepReplica(
  replica: Replica,
  everyMs: number,
  { clock, log, told, lost }: KeepParts,
): () => void {
  let timer: Timer | undefined;
  let stopped = false;
  const go = async (): Promise<void> => {
    const round = await replica.round();
    if (stopped) return;
    if (round.failed.length > 0) log.warn("replica.failed", { count: round.failed.length });
    told?.(round);
    timer = clock.after(everyMs, next);
  };
  const next = (): void => {
    go().catch((error: unknown) => {
      if (stopped) return;
      if (lost === undefined) throw error;
      lost(error);
    });
  };
  timer = clock.after(0, next);
  return () => {
    stopped = true;
    timer?.cancel();
    replica.close();
  };
}
