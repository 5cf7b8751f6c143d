/** Of the API, what has the tag "quarantine": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";

export type QuarantineItem = {
  /** its number */ readonly message: number;
  /** when it came (ISO 8601) */ readonly at: string;
  /** the car that it names, unproven */ readonly vehicle?: string;
  /** why it was put aside */ readonly reason: string;
  /** on which it came */ readonly topic: string;
  /** its length; what it holds is not shown */ readonly bytes: number;
};

export type RedriveQuarantinedAnswer = {
  /** stored, duplicate and fork leave quarantine; the others stay */ readonly outcome: "stored" | "duplicate" | "fork" | "waiting" | "dropped" | "still";
  /** it has left quarantine */ readonly taken: boolean;
  /** why it stays */ readonly reason?: string;
};

export type QuarantineOperations = {
  /** Messages that were put aside, each with its reason. */
  readonly listQuarantine: {
    readonly ask: {
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<QuarantineItem>;
  };
  /** Hand a message in again, with the keys and enrolments of now. */
  readonly redriveQuarantined: {
    readonly ask: {
      readonly path: { readonly message: string; };
      readonly body?: Nothing;
    };
    readonly answer: RedriveQuarantinedAnswer;
  };
};
