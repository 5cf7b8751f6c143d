/** What Linux says of its CAN interfaces, in /sys/class/net and /proc/net/can. */
import { readFileSync } from "node:fs";
import type { CanFilter } from "./filters.ts";
import type { Interfaces } from "./socketcan-receiver.ts";

/** linux/if.h */
const IFF_UP = 1;
/** net/can/proc.c: lists of filters by kind, each filter with the number of frames that passed it. */
const LISTS = ["all", "fil", "inv", "sff", "eff"];
/** Name, id, mask, two addresses, matches, "raw". */
const LIST_ROW = /^\s*(\S+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+\S+\s+\S+\s+(\d+)\s+raw\s*$/i;
/** What a socket has that set no filter. */
const EVERYTHING: readonly CanFilter[] = [{ id: 0, mask: 0 }];

export const linuxInterfaces: Interfaces = {
  look: (name) => {
    try {
      const up = (Number.parseInt(readFact(name, "flags"), 16) & IFF_UP) !== 0;
      return { index: Number(readFact(name, "ifindex")), up };
    } catch {
      // It is not there, or went while it was read.
      return undefined;
    }
  },
  delivered: (name, filters) => {
    try {
      const texts = LISTS.map((list) => readFileSync(`/proc/net/can/rcvlist_${list}`, "utf8"));
      return deliveredIn(texts, name, filters);
    } catch {
      // Without the protocol's own files nothing can be said.
      return 0;
    }
  },
};

/** Throws where the interface is not there. */
function readFact(name: string, file: string): string {
  return readFileSync(`/sys/class/net/${name}/${file}`, "utf8");
}

/** Frames that passed these filters, or, with none, the filter that lets everything pass. */
export function deliveredIn(
  lists: readonly string[],
  name: string,
  filters: readonly CanFilter[],
): number {
  const keyOf = ({ id, mask }: CanFilter): string => `${(id & mask) >>> 0}/${mask >>> 0}`;
  const wanted = new Set((filters.length === 0 ? EVERYTHING : filters).map(keyOf));
  let delivered = 0;
  for (const line of lists.flatMap((text) => text.split("\n"))) {
    const [, device, id = "", mask = "", matches = ""] = LIST_ROW.exec(line) ?? [];
    const filter = { id: Number.parseInt(id, 16), mask: Number.parseInt(mask, 16) };
    if (device === name && wanted.has(keyOf(filter))) delivered += Number(matches);
  }
  return delivered;
}
