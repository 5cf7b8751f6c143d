/**
 * What the car remembers of commands: the highest counter it took, and the latest commands with their results, so that
 * a command that comes again is answered and not done. It lives in the small two-copy store, apart from the event
 * buffer, and outlives its loss. Where the disk fails it goes on in memory and says so.
 */
import {
  ACTIONS,
  bookingCodec,
  bool,
  type Command,
  choice,
  concatBytes,
  decode,
  encode,
  equalBytes,
  field,
  hash256,
  list,
  optional,
  random128,
  sensedCodec,
  struct,
  type TypeOf,
  text,
  uint,
  unmetCodec,
} from "@kerbside/protocol";
import type { Verdict } from "./order.ts";
import { openTwoCopyFile } from "./two-copy-file.ts";

/**
 * How many commands are remembered. The oldest that has its result gives way; it is refused by its counter from then
 * on, without the recorded answer. One without a result never gives way: its end is still to be told.
 */
export const ORDERS_MAX = 64;

const internal = { class: "Internal" } as const;
const verdictCodec = struct("verdict", {
  status: field(
    0,
    choice(["executed", "refused", "expired", "stale_session", "unknown", "armed"]),
    {
      ...internal,
      doc: "what became of it",
    },
  ),
  unmet: field(1, list(unmetCodec, 32), { ...internal, doc: "conditions that were not met" }),
  sensed: field(2, sensedCodec, { ...internal, doc: "the state after it" }),
  reason: optional(3, text(64), { ...internal, doc: "why it failed" }),
  mayHaveSucceeded: field(4, bool, { ...internal, doc: "it may have happened all the same" }),
});
const orderCodec = struct("a command the car has taken", {
  id: field(0, random128, { ...internal, doc: "the command" }),
  requestHash: field(1, hash256, { ...internal, doc: "hash of its envelope" }),
  action: field(2, choice(ACTIONS), { ...internal, doc: "what was asked" }),
  verdict: optional(3, verdictCodec, { ...internal, doc: "missing: intent without result" }),
  armed: optional(4, bool, {
    ...internal,
    doc: "it waited for the car to stand; nothing was done",
  }),
  booking: optional(5, bookingCodec, {
    class: "Confidential",
    tag: "SPI",
    doc: "for which booking",
  }),
  owed: optional(6, bool, {
    ...internal,
    doc: "the cloud has not taken its result over; otherwise it has, or never asked, or an older agent wrote this",
  }),
});
const journalCodec = struct("command journal", {
  counter: field(0, uint(), { ...internal, doc: "highest counter taken" }),
  orders: field(1, list(orderCodec, ORDERS_MAX), { ...internal, doc: "the latest, oldest first" }),
});
export type JournalOrder = TypeOf<typeof orderCodec>;
export type FinishedOrder = JournalOrder & { readonly verdict: Verdict };
type JournalContent = TypeOf<typeof journalCodec>;

export type Journal = {
  readonly counter: () => number;
  readonly find: (id: Uint8Array) => JournalOrder | undefined;
  /** Commands with an intent and no result: after a start, those that a crash cut off. */
  readonly unfinished: () => readonly JournalOrder[];
  /** Commands with a result that the cloud has not taken over, as far as the disk knows. */
  readonly owed: () => readonly FinishedOrder[];
  /**
   * Advances the counter and writes the intent in one durable write. `by`: who waits for the result. Says whether it reached the disk: it did not where
   * every place is taken by a command without a result. Known ids are written anew.
   */
  readonly recordIntent: (
    command: Command,
    requestHash: Uint8Array,
    by?: "cloud" | "car",
  ) => Promise<boolean>;
  /** Notes that the command waits; after a crash it is known to have done nothing. */
  readonly recordArmed: (id: Uint8Array) => Promise<boolean>;
  /** False, as by `recordArmed`, where there is no intent of that id to write it to. */
  readonly recordResult: (id: Uint8Array, verdict: Verdict) => Promise<boolean>;
  /**
   * Notes that the cloud has taken over a result of that status. One that was told before the end (`armed`, or what is
   * said of a command that comes again meanwhile) is not the one that is owed. Where the disk fails it is told again.
   */
  readonly recordTaken: (id: Uint8Array, status: string) => Promise<boolean>;
  /** Whether the last write reached the disk. */
  readonly works: () => boolean;
  /** The file was there and could not be read: counters known only from now on. */
  readonly damaged: boolean;
  readonly close: () => Promise<void>;
};

/** Orders that were written before, as they were: all but the one that changes are written again as they are. */
const WRITTEN = new WeakMap<JournalOrder, Uint8Array>();
/** RFC 8949 § 3: an array of up to 255 items, whose number has a byte of its own from 24 on. */
const ARRAY = 0x80;
const ARRAY_COUNTED = 0x98;
const COUNT_INLINE_MAX = 23;

function written(order: JournalOrder): Uint8Array {
  const bytes = WRITTEN.get(order) ?? encode(orderCodec, order);
  WRITTEN.set(order, bytes);
  return bytes;
}

/** What `encode(journalCodec, …)` gives, without going through every order anew between a command and its pulse. */
function writeContent({ counter, orders }: JournalContent): Uint8Array {
  const empty = encode(journalCodec, { counter, orders: [] });
  const { length } = orders;
  const head = length > COUNT_INLINE_MAX ? [ARRAY_COUNTED, length] : [ARRAY + length];
  // The list is the last field, and an empty one the last byte.
  return concatBytes(empty.subarray(0, -1), Uint8Array.from(head), ...orders.map(written));
}

const isFinished = (order: JournalOrder): order is FinishedOrder => order.verdict !== undefined;

/** Makes room for one more: the oldest that is finished goes, first of those that were told. Undefined where none is. */
function withRoom(orders: readonly JournalOrder[]): readonly JournalOrder[] | undefined {
  if (orders.length < ORDERS_MAX) return orders;
  const told = orders.findIndex((order) => isFinished(order) && order.owed !== true);
  const oldest = told === -1 ? orders.findIndex(isFinished) : told;
  return oldest === -1 ? undefined : orders.toSpliced(oldest, 1);
}

function readContent(content: Uint8Array): JournalContent | undefined {
  try {
    return decode(journalCodec, content);
  } catch {
    // Whatever is wrong with it, it is no journal.
    return undefined;
  }
}

/** Opens the journal at `path` (two files). Throws what the file system throws on opening. */
export async function openJournal(path: string): Promise<Journal> {
  const file = await openTwoCopyFile(path);
  const stored = readContent(file.content ?? new Uint8Array());
  let content: JournalContent = stored ?? { counter: 0, orders: [] };
  let works = true;
  const write = async (next: JournalContent): Promise<boolean> => {
    content = next;
    works = await file.write(writeContent(next)).then(
      () => true,
      () => false,
    );
    return works;
  };
  const find: Journal["find"] = (id) => content.orders.find((order) => equalBytes(order.id, id));
  const change = (
    id: Uint8Array,
    what: Pick<JournalOrder, "armed" | "verdict" | "owed">,
  ): Promise<boolean> => {
    if (find(id) === undefined) return Promise.resolve(false);
    const orders = content.orders.map((order) =>
      equalBytes(order.id, id) ? { ...order, ...what } : order,
    );
    return write({ ...content, orders });
  };
  return {
    damaged: file.damaged || (file.content !== undefined && stored === undefined),
    counter: () => content.counter,
    find,
    unfinished: () => content.orders.filter(({ verdict }) => verdict === undefined),
    owed: () => content.orders.filter(isFinished).filter(({ owed }) => owed === true),
    works: () => works,
    recordIntent: async ({ id, action, counter, booking }, requestHash, by = "cloud") => {
      const intent: JournalOrder = {
        ...{ id, requestHash, action },
        ...(booking === undefined ? {} : { booking }),
        ...(by === "cloud" ? { owed: true } : {}),
      };
      const others = withRoom(content.orders.filter((order) => !equalBytes(order.id, id)));
      const orders = others === undefined ? content.orders : [...others, intent];
      const onDisk = await write({ counter: Math.max(content.counter, counter), orders });
      return onDisk && others !== undefined;
    },
    recordArmed: (id) => change(id, { armed: true }),
    recordResult: (id, verdict) => change(id, { verdict }),
    recordTaken: async (id, status) => {
      const order = find(id);
      if (order?.owed !== true || order.verdict?.status !== status) return works;
      return change(id, { owed: false });
    },
    close: file.close,
  };
}
