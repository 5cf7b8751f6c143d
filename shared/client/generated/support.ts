/** Of the API, what has the tag "support": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";
import type { EventsItem } from "./events.ts";

export type AccessItem = {
  /** its id */ readonly request: string;
  /** of what */ readonly kind: "support" | "secret" | "tenant-key" | "credential";
  /** of whom or what */ readonly subject: string;
  /** what it is for */ readonly ticket?: string;
  /** why */ readonly reason: string;
  /** who */ readonly askedBy: string;
  /** when (ISO 8601) */ readonly askedAt: string;
  /** where it stands */ readonly state: "asked" | "approved" | "refused" | "ended";
  /** who */ readonly decidedBy?: string;
  /** when an approval ends (ISO 8601) */ readonly until?: string;
};

export type OpenTicketBody = {
  /** what it is about; no personal data */ readonly words: string;
};

export type RequestAccessBody = {
  /** an open ticket of the tenant's contact */ readonly ticket: string;
  /** which car */ readonly vehicle: string;
  /** what is to be looked at, and why */ readonly reason: string;
  /** for how long */ readonly minutes: number;
};

export type TicketsItem = {
  /** its id */ readonly ticket: string;
  /** the tenant's contact */ readonly openedBy: string;
  /** what it is about */ readonly words: string;
  /** when (ISO 8601) */ readonly openedAt: string;
  /** when (ISO 8601) */ readonly closedAt?: string;
};

export type SupportOperations = {
  /** approve access that another asked for. */
  readonly approveAccess: {
    readonly ask: {
      readonly path: { readonly request: string; };
      readonly body?: Nothing;
    };
    readonly answer: AccessItem;
  };
  /** Close a ticket, and end what was approved for it. */
  readonly closeTicket: {
    readonly ask: {
      readonly path: { readonly ticket: string; };
      readonly body?: Nothing;
    };
    readonly answer: Nothing;
  };
  /** end access that another asked for. */
  readonly endAccess: {
    readonly ask: {
      readonly path: { readonly request: string; };
      readonly body?: Nothing;
    };
    readonly answer: AccessItem;
  };
  /** Who asked for access, and who agreed, newest first. */
  readonly listAccess: {
    readonly ask: {
      readonly query?: { /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<AccessItem>;
  };
  /** Tickets. */
  readonly listTickets: {
    readonly ask: Nothing;
    readonly answer: Page<TicketsItem>;
  };
  /** Ask for help. */
  readonly openTicket: {
    readonly ask: {
      readonly body: OpenTicketBody;
    };
    readonly answer: TicketsItem;
  };
  /** What the car reported, while access is approved. */
  readonly queryAccess: {
    readonly ask: {
      readonly path: { readonly request: string; };
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<EventsItem>;
  };
  /** refuse access that another asked for. */
  readonly refuseAccess: {
    readonly ask: {
      readonly path: { readonly request: string; };
      readonly body?: Nothing;
    };
    readonly answer: AccessItem;
  };
  /** Ask to see what a car reported, for a ticket. */
  readonly requestAccess: {
    readonly ask: {
      readonly body: RequestAccessBody;
    };
    readonly answer: AccessItem;
  };
};
