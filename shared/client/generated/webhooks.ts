/** Of the API, what has the tag "webhooks": made by `node scripts/client.ts` from the API's description. */
import type { Nothing, Page } from "../page.ts";

export type AddWebhookAnswer = {
  /** its id */ readonly webhook: string;
  /** a public HTTPS address (TLS 1.3) */ readonly url: string;
  /** only these; all where there is none */ readonly topics: readonly ("vehicle" | "booking" | "command" | "events")[];
  /** whether anything is sent */ readonly on: boolean;
  /** why nothing is sent: somebody asked so, it answered 410, it was not reached for days, too much was not taken */ readonly off?: "asked" | "gone" | "unreachable" | "full";
  /** since when */ readonly offSince?: string;
  /** when it was made */ readonly madeAt: string;
  /** nothing was taken since then */ readonly failingSince?: string;
  /** rises with each new secret */ readonly secretVersion: number;
  /** until then the secret before is signed with too */ readonly overlapUntil?: string;
  /** what the feed has up to here was taken or is under way */ readonly next: string;
  /** how many batches nobody took; `…/dead` has them */ readonly dead: number;
  /** what is sent next or again, where there is anything */ readonly waiting?: {
    /** how often it was sent, or begun to be */ readonly attempts: number;
    /** why it was not taken so far: a status or a code */ readonly why?: string;
    /** when it is tried next */ readonly dueAt: string;
  };
  /** signs what is sent; shown this once */ readonly secret: string;
};

export type AddWebhookBody = {
  /** a public HTTPS address (TLS 1.3) */ readonly url: string;
  /** only these; all where there is none */ readonly topics?: readonly ("vehicle" | "booking" | "command" | "events")[];
};

export type ChangeWebhookBody = {
  /** a public HTTPS address (TLS 1.3) */ readonly url?: string;
  /** only these; all where there is none */ readonly topics?: readonly ("vehicle" | "booking" | "command" | "events")[];
  /** on again, it goes on where it stopped */ readonly on?: boolean;
};

export type DeadDeliveriesItem = {
  /** its id */ readonly delivery: number;
  /** cursor of the feed */ readonly first: number;
  /** cursor of the feed */ readonly last: number;
  /** how often it was sent, or begun to be */ readonly attempts: number;
  /** why it was not taken */ readonly why?: string;
};

export type RedriveDeliveriesAnswer = {
  /** how many */ readonly count: number;
};

export type RedriveDeliveriesBody = {
  /** only these; all that nobody took without it */ readonly deliveries?: readonly (number)[];
};

export type Webhook = {
  /** its id */ readonly webhook: string;
  /** a public HTTPS address (TLS 1.3) */ readonly url: string;
  /** only these; all where there is none */ readonly topics: readonly ("vehicle" | "booking" | "command" | "events")[];
  /** whether anything is sent */ readonly on: boolean;
  /** why nothing is sent: somebody asked so, it answered 410, it was not reached for days, too much was not taken */ readonly off?: "asked" | "gone" | "unreachable" | "full";
  /** since when */ readonly offSince?: string;
  /** when it was made */ readonly madeAt: string;
  /** nothing was taken since then */ readonly failingSince?: string;
  /** rises with each new secret */ readonly secretVersion: number;
  /** until then the secret before is signed with too */ readonly overlapUntil?: string;
  /** what the feed has up to here was taken or is under way */ readonly next: string;
  /** how many batches nobody took; `…/dead` has them */ readonly dead: number;
  /** what is sent next or again, where there is anything */ readonly waiting?: {
    /** how often it was sent, or begun to be */ readonly attempts: number;
    /** why it was not taken so far: a status or a code */ readonly why?: string;
    /** when it is tried next */ readonly dueAt: string;
  };
};

export type WebhooksOperations = {
  /** Have an address told what changes from now on. */
  readonly addWebhook: {
    readonly ask: {
      readonly body: AddWebhookBody;
    };
    readonly answer: AddWebhookAnswer;
  };
  /** Another address, other topics, on or off. */
  readonly changeWebhook: {
    readonly ask: {
      readonly path: { readonly webhook: string; };
      readonly body?: ChangeWebhookBody;
    };
    readonly answer: Webhook;
  };
  /** One webhook. */
  readonly getWebhook: {
    readonly ask: {
      readonly path: { readonly webhook: string; };
    };
    readonly answer: Webhook;
  };
  /** What nobody took, oldest first. */
  readonly listDeadDeliveries: {
    readonly ask: {
      readonly path: { readonly webhook: string; };
      readonly query?: { /** continue after: `next` of the page before */ readonly after?: string; /** how many at most, to 1000; 100 where nothing is said */ readonly limit?: number; };
    };
    readonly answer: Page<DeadDeliveriesItem>;
  };
  /** Webhooks. */
  readonly listWebhooks: {
    readonly ask: Nothing;
    readonly answer: Page<Webhook>;
  };
  /** Send again what nobody took. */
  readonly redriveDeliveries: {
    readonly ask: {
      readonly path: { readonly webhook: string; };
      readonly body?: RedriveDeliveriesBody;
    };
    readonly answer: RedriveDeliveriesAnswer;
  };
  /** Take it away, with all that waits for it. */
  readonly removeWebhook: {
    readonly ask: {
      readonly path: { readonly webhook: string; };
      readonly body?: Nothing;
    };
    readonly answer: Nothing;
  };
  /** A new secret; the one before is signed with for another day. */
  readonly rotateWebhook: {
    readonly ask: {
      readonly path: { readonly webhook: string; };
      readonly body?: Nothing;
    };
    readonly answer: AddWebhookAnswer;
  };
};
