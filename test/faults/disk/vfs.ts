/**
 * SQLite (its own code, as WebAssembly) over simulated disks: a VFS that passes every read, write, flush and lock on.
 * Shared memory of the write-ahead log's index is SQLite's heap, kept while the machine runs, as it is on a real one.
 */
import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
import { type Disk, DiskError, type Node } from "./disk.ts";
import { locate } from "./mounts.ts";

export type Sqlite = Awaited<ReturnType<typeof sqlite3InitModule>>;
export const VFS_NAME = "simulated";

/** Levels of SQLite's file locks (sqlite.org/c3ref/c_lock_exclusive.html). */
const LOCK = { none: 0, shared: 1, reserved: 2, pending: 3, exclusive: 4 } as const;
const SHM_LOCKS = 8;
/** Of a `sqlite3_file`, which is one pointer; what else there is to an open file is kept here. */
const FILE_BYTES = 16;
/** Flags of xShmLock (sqlite.org/c3ref/c_shm_exclusive.html). */
const SHM = { unlock: 1, lock: 2, shared: 4, exclusive: 8 } as const;

type Shared = {
  readonly generation: number;
  readonly regions: number[];
  readonly locks: { shared: Set<Handle>; exclusive: Handle | undefined }[];
  readonly users: Set<Handle>;
};
type Handle = {
  readonly disk: Disk;
  readonly path: string;
  readonly node: Node;
  readonly generation: number;
  readonly deleteOnClose: boolean;
  lock: number;
  shared: Shared | undefined;
};

/** SQLite's own chance (salts of the write-ahead log): the same in each run of a seed. */
let random = 1;
export function seedSqlite(seed: number): void {
  random = seed;
}

export async function loadSqlite(): Promise<Sqlite> {
  const sqlite = await sqlite3InitModule();
  // It prints each failed step; here they are made on purpose.
  Object.assign(sqlite.config, { error: () => undefined, warn: () => undefined });
  new Vfs(sqlite).install();
  return sqlite;
}

class Vfs {
  readonly #sqlite: Sqlite;
  readonly #handles = new Map<number, Handle>();
  readonly #shared = new WeakMap<Node, Shared>();
  readonly #locked = new WeakMap<Node, Set<Handle>>();

  constructor(sqlite: Sqlite) {
    this.#sqlite = sqlite;
  }

  install(): void {
    const { capi, wasm, vfs } = this.#sqlite;
    const io = new capi.sqlite3_io_methods();
    Reflect.set(io, "$iVersion", 2);
    const own = new capi.sqlite3_vfs();
    own.$iVersion = 1;
    own.$szOsFile = FILE_BYTES;
    own.$mxPathname = 512;
    own.$zName = wasm.allocCString(VFS_NAME, false);
    vfs.installVfs({
      io: { struct: io, methods: this.#ioMethods() },
      vfs: { struct: own, methods: this.#vfsMethods(io.pointer) },
    });
  }

  /** Runs a step of an open file; failures of the disk become SQLite's codes. */
  #with(pointer: number, code: number, step: (handle: Handle) => number): number {
    const { capi } = this.#sqlite;
    const handle = this.#handles.get(pointer);
    if (handle === undefined || handle.disk.dead || handle.generation !== handle.disk.generation)
      return code;
    try {
      return step(handle);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return error.code === "ENOSPC" ? capi.SQLITE_FULL : code;
    }
  }

  #ioMethods(): Record<string, (...args: number[]) => number> {
    const { capi, wasm } = this.#sqlite;
    const poke = (pointer: number, value: number): number => {
      wasm.poke32(pointer, value);
      return capi.SQLITE_OK;
    };
    return {
      xClose: (file) => this.#close(file),
      xRead: (file, to, count, at) =>
        this.#with(file, capi.SQLITE_IOERR_READ, ({ disk, path, node }) => {
          disk.read(path);
          const heap = wasm.heap8u();
          const found = node.read(heap.subarray(to, to + count), Number(at), count);
          if (found === count) return capi.SQLITE_OK;
          heap.fill(0, to + found, to + count);
          return capi.SQLITE_IOERR_SHORT_READ;
        }),
      xWrite: (file, from, count, at) =>
        this.#with(file, capi.SQLITE_IOERR_WRITE, ({ disk, path, node }) => {
          disk.write(path, node, Number(at), wasm.heap8u().subarray(from, from + count));
          return capi.SQLITE_OK;
        }),
      xTruncate: (file, size) =>
        this.#with(file, capi.SQLITE_IOERR_TRUNCATE, ({ disk, path, node }) => {
          disk.truncate(path, node, Number(size));
          return capi.SQLITE_OK;
        }),
      xSync: (file) =>
        this.#with(file, capi.SQLITE_IOERR_FSYNC, ({ disk, path, node }) => {
          disk.flush(path, node);
          return capi.SQLITE_OK;
        }),
      xFileSize: (file, to) =>
        this.#with(file, capi.SQLITE_IOERR_FSTAT, ({ node }) => {
          wasm.poke64(to, BigInt(node.size));
          return capi.SQLITE_OK;
        }),
      xLock: (file, level) =>
        this.#with(file, capi.SQLITE_IOERR_LOCK, (handle) => this.#lock(handle, level)),
      xUnlock: (file, level) => {
        const handle = this.#handles.get(file);
        if (handle !== undefined) handle.lock = Math.min(handle.lock, level);
        return capi.SQLITE_OK;
      },
      xCheckReservedLock: (file, to) =>
        this.#with(file, capi.SQLITE_IOERR_LOCK, ({ node }) => {
          const held = [...(this.#locked.get(node) ?? [])];
          return poke(to, held.some(({ lock }) => lock >= LOCK.reserved) ? 1 : 0);
        }),
      xFileControl: () => capi.SQLITE_NOTFOUND,
      xSectorSize: () => 4096,
      // As SQLite takes any disk on Linux to be: writing a sector harms none beside it.
      xDeviceCharacteristics: () => capi.SQLITE_IOCAP_POWERSAFE_OVERWRITE,
      xShmMap: (file, region, size, _extend, to) =>
        this.#with(file, capi.SQLITE_IOERR_SHMMAP, (handle) => {
          const { regions } = this.#sharedOf(handle);
          while (regions.length <= region) {
            const made = wasm.alloc(size);
            wasm.heap8u().fill(0, made, made + size);
            regions.push(made);
          }
          wasm.pokePtr(to, regions[region] ?? 0);
          return capi.SQLITE_OK;
        }),
      xShmLock: (file, first, count, flags) =>
        this.#with(file, capi.SQLITE_IOERR_SHMLOCK, (handle) =>
          this.#shmLock(handle, first, count, flags),
        ),
      xShmBarrier: () => 0,
      xShmUnmap: (file) => {
        const handle = this.#handles.get(file);
        if (handle !== undefined) this.#unmap(handle);
        return capi.SQLITE_OK;
      },
    };
  }

  #vfsMethods(io: number): Record<string, (...args: number[]) => number> {
    const { capi, wasm } = this.#sqlite;
    const place = (name: number) => locate(wasm.cstrToJs(name) ?? "");
    const guarded = (code: number, step: () => number): number => {
      try {
        return step();
      } catch (error) {
        if (error instanceof DiskError) return code;
        throw error;
      }
    };
    return {
      xOpen: (_vfs, name, file, flags, out) =>
        guarded(capi.SQLITE_CANTOPEN, () => this.#open(place(name), file, flags, out, io)),
      xDelete: (_vfs, name) =>
        guarded(capi.SQLITE_IOERR_DELETE, () => {
          const there = place(name);
          if (there?.disk.node(there.path) === undefined) return capi.SQLITE_IOERR_DELETE_NOENT;
          there.disk.remove(there.path);
          return capi.SQLITE_OK;
        }),
      xAccess: (_vfs, name, _flags, to) =>
        guarded(capi.SQLITE_IOERR_ACCESS, () => {
          const there = place(name);
          wasm.poke32(to, there?.disk.node(there.path) === undefined ? 0 : 1);
          return capi.SQLITE_OK;
        }),
      xFullPathname: (_vfs, name, size, to) => {
        wasm.cstrncpy(to, name, size);
        return capi.SQLITE_OK;
      },
      xRandomness: (_vfs, count, to) => {
        const heap = wasm.heap8u();
        for (let i = 0; i < count; i += 1) {
          random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
          heap[to + i] = random >>> 16;
        }
        return count;
      },
      xSleep: () => capi.SQLITE_OK,
      xCurrentTime: (_vfs, to) => {
        wasm.poke64f(to, 2_461_000.5);
        return capi.SQLITE_OK;
      },
      xGetLastError: () => capi.SQLITE_OK,
    };
  }

  #open(
    there: ReturnType<typeof locate>,
    file: number,
    flags: number,
    out: number,
    io: number,
  ): number {
    const { capi, wasm } = this.#sqlite;
    if (there === undefined) return capi.SQLITE_CANTOPEN;
    const { disk, path } = there;
    const make = (flags & capi.SQLITE_OPEN_CREATE) !== 0;
    const node = disk.node(path) ?? (make ? disk.create(path, false) : undefined);
    if (node === undefined || node.directory) return capi.SQLITE_CANTOPEN;
    const struct = new capi.sqlite3_file(file);
    struct.$pMethods = io;
    struct.dispose();
    const deleteOnClose = (flags & capi.SQLITE_OPEN_DELETEONCLOSE) !== 0;
    const { generation } = disk;
    const handle = { disk, path, node, generation, deleteOnClose, lock: LOCK.none };
    this.#handles.set(file, { ...handle, shared: undefined });
    if (out !== 0) wasm.poke32(out, flags);
    return capi.SQLITE_OK;
  }

  #close(file: number): number {
    const { capi } = this.#sqlite;
    const handle = this.#handles.get(file);
    if (handle === undefined) return capi.SQLITE_OK;
    this.#unmap(handle);
    this.#locked.get(handle.node)?.delete(handle);
    this.#handles.delete(file);
    if (handle.deleteOnClose && !handle.disk.dead) handle.disk.remove(handle.path);
    return capi.SQLITE_OK;
  }

  /** Locks as sqlite.org/lockingv3.html has them; those of a machine that went down are gone. */
  #lock(handle: Handle, level: number): number {
    const { capi } = this.#sqlite;
    if (handle.lock >= level) return capi.SQLITE_OK;
    const all = this.#locked.get(handle.node) ?? new Set<Handle>();
    this.#locked.set(handle.node, all);
    const others = [...all].filter(
      (other) => other !== handle && other.generation === handle.generation,
    );
    const most = Math.max(LOCK.none, ...others.map(({ lock }) => lock));
    const blocked =
      level === LOCK.shared
        ? most >= LOCK.pending
        : level === LOCK.exclusive
          ? most >= LOCK.shared
          : most >= LOCK.reserved;
    if (blocked) return capi.SQLITE_BUSY;
    handle.lock = level;
    all.add(handle);
    return capi.SQLITE_OK;
  }

  #sharedOf(handle: Handle): Shared {
    if (handle.shared !== undefined) return handle.shared;
    const { disk, node } = handle;
    let shared = this.#shared.get(node);
    if (shared === undefined || shared.generation !== disk.generation || shared.users.size === 0) {
      const locks = Array.from({ length: SHM_LOCKS }, () => ({
        shared: new Set<Handle>(),
        exclusive: undefined,
      }));
      shared = { generation: disk.generation, regions: [], locks, users: new Set() };
      this.#shared.set(node, shared);
    }
    shared.users.add(handle);
    handle.shared = shared;
    return shared;
  }

  #unmap(handle: Handle): void {
    const { shared } = handle;
    if (shared === undefined) return;
    for (const lock of shared.locks) {
      lock.shared.delete(handle);
      if (lock.exclusive === handle) lock.exclusive = undefined;
    }
    shared.users.delete(handle);
    handle.shared = undefined;
    if (shared.users.size > 0) return;
    for (const region of shared.regions.splice(0)) this.#sqlite.wasm.dealloc(region);
  }

  #shmLock(handle: Handle, first: number, count: number, flags: number): number {
    const { capi } = this.#sqlite;
    const locks = this.#sharedOf(handle).locks.slice(first, first + count);
    const taken = (lock: Shared["locks"][number]): boolean => {
      const byOther = lock.exclusive !== undefined && lock.exclusive !== handle;
      const readers = [...lock.shared].some((other) => other !== handle);
      return byOther || ((flags & SHM.exclusive) !== 0 && readers);
    };
    if ((flags & SHM.unlock) !== 0) {
      for (const lock of locks) {
        lock.shared.delete(handle);
        if (lock.exclusive === handle) lock.exclusive = undefined;
      }
      return capi.SQLITE_OK;
    }
    if (locks.some(taken)) return capi.SQLITE_BUSY;
    for (const lock of locks) {
      if ((flags & SHM.exclusive) !== 0) lock.exclusive = handle;
      else lock.shared.add(handle);
    }
    return capi.SQLITE_OK;
  }
}
