/** Simulated disks by the path that they are mounted at. */
import type { Disk } from "./disk.ts";

export const MOUNT_ROOT = "/simulated/";
const mounts = new Map<string, Disk>();

/** Mounts a disk; gives its path. */
export function mount(name: string, disk: Disk): string {
  const path = `${MOUNT_ROOT}${name}`;
  mounts.set(path, disk);
  return path;
}

export function unmountAll(): void {
  mounts.clear();
}

/** The disk that a path lies on, and the path on it; undefined for the real file system. */
export function locate(path: string): { readonly disk: Disk; readonly path: string } | undefined {
  if (!path.startsWith(MOUNT_ROOT)) return undefined;
  const end = path.indexOf("/", MOUNT_ROOT.length);
  const root = end < 0 ? path : path.slice(0, end);
  const disk = mounts.get(root);
  if (disk === undefined) throw new Error(`${path}: nothing is mounted there`);
  return { disk, path: end < 0 ? "/" : path.slice(end) };
}
