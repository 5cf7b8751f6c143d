/**
 * A live replica of a data directory (P-90): databases by shipping their write-ahead logs, files that are replaced as a
 * whole by copying them. It is a data directory itself: a cloud that is started on it serves. Subject keys are copied
 * when they change, and never pinned, so that a key that is destroyed is gone from the log at once and from here with
 * the next round.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Clock, type Log, ProtocolError, type Timer } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { type DataFile, dataFiles } from "./data-files.ts";
import { makeDirectory, readIfThere, replaceFile } from "./files.ts";
import { shipWal, type WalShipper } from "./wal-shipper.ts";

export type ReplicaRound = {
  readonly files: number;
  readonly bytes: number;
  /** What failed, and is begun anew with the next round. */
  readonly failed: readonly string[];
};

export type Replica = {
  /** Brings the replica up to what was committed before the call, except for what it says has failed. */
  readonly round: () => ReplicaRound;
  readonly close: () => void;
};

/** Throws ProtocolError `malformed` where one directory lies in the other. */
export function openReplica(source: string, target: string): Replica {
  if (`${target}/`.startsWith(`${source}/`) || `${source}/`.startsWith(`${target}/`))
    throw new ProtocolError("malformed", "replica: expected a directory of its own");
  makeDirectory(target);
  const shippers = new Map<string, WalShipper>();
  const seen = new Map<string, string>();
  const shipperOf = (path: string): WalShipper => {
    const shipper = shippers.get(path) ?? shipWal(join(source, path), join(target, path));
    shippers.set(path, shipper);
    return shipper;
  };
  const copy = ({ path, kind }: DataFile): number => {
    const [from, to] = [join(source, path), join(target, path)];
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    switch (kind) {
      case "log":
      case "store":
        return shipperOf(path).step();
      case "sealed":
      case "keys":
        return copyChanged(path, kind === "keys" ? [from, `${from}-wal`] : [from], () =>
          kind === "keys"
            ? copyKeys(from, to)
            : replaceFile(to, readIfThere(from) ?? new Uint8Array()),
        );
    }
  };
  const copyChanged = (path: string, files: readonly string[], run: () => void): number => {
    const state = files.map(stateOf).join(" ");
    if (seen.get(path) === state) return 0;
    run();
    seen.set(path, state);
    return statSync(join(target, path)).size;
  };
  const drop = (path: string): void => {
    shippers.get(path)?.close();
    shippers.delete(path);
    seen.delete(path);
  };
  return {
    round: () => {
      const files = dataFiles(source);
      const there = new Set(files.map(({ path }) => path));
      for (const path of [...shippers.keys(), ...seen.keys()]) if (!there.has(path)) drop(path);
      dropRemoved(source, target);
      let bytes = 0;
      const failed: string[] = [];
      const attempt = (path: string, run: () => number): void => {
        try {
          bytes += run();
        } catch {
          // Removed meanwhile, busy, or no room: said by name, and begun anew.
          failed.push(path);
          drop(path);
        }
      };
      const others = files.filter(({ kind }) => kind !== "log");
      const copyOthers = (): void => {
        for (const file of others) attempt(file.path, () => copy(file));
      };
      // An anchor speaks of what its trail has already. So how far anchors go is looked at before the trails are copied,
      // and they are copied after them: whenever this ends, no anchor is there without its entry.
      const logs = files.flatMap(({ path, kind }) =>
        kind === "log" && shippers.has(path) ? [{ path, until: shipperOf(path).mark() }] : [],
      );
      copyOthers();
      for (const { path, until } of logs)
        attempt(path, () => shipperOf(path).step(until, copyOthers));
      for (const file of files)
        if (file.kind === "log" && !shippers.has(file.path)) {
          attempt(file.path, () => copy(file));
          copyOthers();
        }
      return { files: files.length, bytes, failed };
    },
    close: () => {
      for (const path of [...shippers.keys()]) drop(path);
    },
  };
}

/** P-83: what left here leaves there. */
function dropRemoved(source: string, target: string): void {
  const tenants = join(target, "tenants");
  for (const name of existsSync(tenants) ? readdirSync(tenants) : [])
    if (!existsSync(join(source, "tenants", name)))
      rmSync(join(tenants, name), { recursive: true, force: true });
}

function stateOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "-" : `${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}

/** As one consistent file. */
function copyKeys(from: string, to: string): void {
  const db = new BetterSqlite3(from, { readonly: true, fileMustExist: true });
  try {
    replaceFile(to, db.serialize());
  } finally {
    db.close();
  }
}

/** Rounds one after the other until it is stopped. Returns how to stop. */
export function keepReplica(
  replica: Replica,
  everyMs: number,
  { clock, log, told }: { clock: Clock; log: Log; told?: (round: ReplicaRound) => void },
): () => void {
  let timer: Timer;
  const go = (): void => {
    const round = replica.round();
    if (round.failed.length > 0) log.warn("replica.failed", { count: round.failed.length });
    told?.(round);
    timer = clock.after(everyMs, go);
  };
  timer = clock.after(0, go);
  return () => {
    timer.cancel();
    replica.close();
  };
}
