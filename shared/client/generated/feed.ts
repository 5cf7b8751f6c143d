/** Of the API, what has the tag "feed": made by `node scripts/client.ts` from the API's description. */
import type { Page } from "../page.ts";

export type FeedItem = {
  /** rises in the order of commits */ readonly cursor: number;
  /** when (ISO 8601 with an offset) */ readonly at: string;
  /** what changed */ readonly topic: "vehicle" | "booking" | "command" | "events";
  /** its id: fetch it to see what you may see */ readonly id: string;
};

export type FeedOperations = {
  /** What changed, as ids only: a page after a cursor (`end`: from now on), or a stream of server-sent events (Accept: text/event-stream). */
  readonly feed: {
    readonly ask: {
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; /** wait up to so many milliseconds, to 30000 */ readonly wait?: number; };
    };
    readonly answer: Page<FeedItem>;
  };
};
