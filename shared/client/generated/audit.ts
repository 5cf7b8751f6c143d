/** Of the API, what has the tag "audit": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";

export type AuditItem = {
  /** its number in the chain */ readonly seq: number;
  /** when (ISO 8601) */ readonly at: string;
  /** who: a client, a person's account, or a part of the system */ readonly actor: string;
  readonly action: string;
  /** whom or what it concerned */ readonly subject: string;
  readonly outcome: string;
  readonly reason?: string;
  /** the network address it came from */ readonly from?: string;
};

export type CheckAuditAnswer = {
  /** the whole trail holds */ readonly ok: boolean;
  /** so many were read */ readonly entries: number;
  /** the newest, whose heads are not kept elsewhere yet */ readonly unanchored: number;
  /** each in words */ readonly problems: readonly (string)[];
};

export type AuditOperations = {
  /** Whether the whole trail holds: hashes, numbers, heads that are kept elsewhere. */
  readonly checkAudit: {
    readonly ask: Nothing;
    readonly answer: CheckAuditAnswer;
  };
  /** The audit trail, oldest first. */
  readonly listAudit: {
    readonly ask: {
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<AuditItem>;
  };
};
