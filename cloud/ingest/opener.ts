/** Opening the body of a segment and checking its columns: on this thread, or on threads beside it (threadOpeners). */
import {
  type CheckedColumns,
  checkColumns,
  openColumns,
  type SegmentHeader,
} from "@kerbside/protocol";

export type BodyOrder = {
  /** Serves this body alone; overwritten with zeros once it is open or was refused. */
  readonly key: Uint8Array;
  readonly place: Pick<SegmentHeader, "log" | "lane" | "number" | "firstSeq" | "count">;
  readonly body: Uint8Array;
};

export type Openers = {
  /** Rejects with ProtocolError `unauthenticated` or `malformed`: then it can be opened nowhere. */
  readonly open: (order: BodyOrder) => Promise<CheckedColumns>;
  /** To be called when nothing is under way. */
  readonly close: () => Promise<void>;
};

/** Throws as `Openers.open` rejects. */
export function openHere({ key, place, body }: BodyOrder): CheckedColumns {
  try {
    return checkColumns(openColumns(key, place, body), place.count);
  } finally {
    key.fill(0);
  }
}

/** On the thread that asks, before `open` returns: in the order in which they are asked for. */
export const openersHere: Openers = {
  open: async (order) => openHere(order),
  close: async () => undefined,
};
