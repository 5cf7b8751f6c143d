/** The feed as server-sent events (WHATWG HTML § 9.2), as far as the API sends them. */
import type { FeedItem } from "./generated/feed.ts";

export type FeedEntry = FeedItem;

/** An event of the feed is some 150 bytes; what has no end within this is none of ours. */
const HELD_CHARS_MAX: number = 64 * 1024;
const BLOCK_END = /\r?\n\r?\n/;

function isEntry(value: unknown): value is FeedEntry {
  const { cursor, topic, id, at }: Partial<Record<keyof FeedEntry, unknown>> = {
    ...(typeof value === "object" ? value : undefined),
  };
  return (
    Number.isSafeInteger(cursor) && [topic, id, at].every((field) => typeof field === "string")
  );
}

/** Ends with the stream, and where that breaks. Throws SyntaxError on what is no event of the feed, RangeError on one without an end. */
export async function* entriesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<FeedEntry> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let held = "";
  try {
    for (;;) {
      const read = await reader.read().catch(() => undefined);
      if (read?.value === undefined) return;
      held += decoder.decode(read.value, { stream: true });
      const blocks = held.split(BLOCK_END);
      held = blocks.pop() ?? "";
      if (held.length > HELD_CHARS_MAX) throw new RangeError("feed: an event without an end");
      for (const block of blocks) {
        const data = /^data: ?(.*)$/m.exec(block)?.[1];
        // A comment, or how soon to come again.
        if (data === undefined) continue;
        const entry: unknown = JSON.parse(data);
        if (!isEntry(entry)) throw new SyntaxError("feed: not an entry");
        yield entry;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
