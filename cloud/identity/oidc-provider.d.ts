/** The few parts of oidc-provider that are used here; it comes without types. */
declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  export type ClientMetadata = Readonly<Record<string, unknown>> & { readonly client_id: string };

  export type Account = {
    readonly accountId: string;
    readonly role?: string;
    readonly claims: () => Promise<{ readonly sub: string }>;
  };

  export type Context = {
    readonly req: IncomingMessage;
    readonly res: ServerResponse;
    readonly method: string;
    readonly path: string;
    readonly ip: string;
    readonly query: Readonly<Record<string, string | readonly string[] | undefined>>;
    status: number;
    body: unknown;
    readonly set: (name: string, value: string) => void;
    readonly redirect: (url: string) => void;
    readonly oidc?: {
      readonly client?: Client;
      readonly account?: Account;
      readonly session?: { readonly accountId?: string; readonly loginTs?: number };
      readonly params?: { readonly client_id?: string; scope?: string | undefined };
    };
  };

  export class Client {
    readonly clientId: string;
    readonly [extra: string]: unknown;
    compareClientSecret(actual: string): boolean | Promise<boolean>;
  }

  export interface Grant {
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  }

  export type Interaction = {
    readonly uid: string;
    readonly params: { readonly client_id?: unknown };
  };

  export const errors: {
    readonly InvalidTarget: new () => Error;
    readonly SessionNotFound: new () => Error;
  };

  export namespace interactionPolicy {
    class Check {
      static readonly REQUEST_PROMPT: true;
      static readonly NO_NEED_TO_PROMPT: false;
      constructor(reason: string, description: string, check: (context: Context) => boolean);
    }
    type Prompt = { readonly checks: { add(check: Check): void } };
    type Policy = { get(name: string): Prompt | undefined; remove(name: string): void };
    function base(): Policy;
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    readonly Client: {
      readonly prototype: Client;
      find(id: string): Promise<Client | undefined>;
    };
    readonly Grant: new (of: {
      readonly accountId: string;
      readonly clientId: string;
    }) => Grant;
    proxy: boolean;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
    interactionResult(
      request: IncomingMessage,
      response: ServerResponse,
      result: {
        readonly login: {
          readonly accountId: string;
          readonly remember: boolean;
          /** When the session began, Unix time in seconds. */
          readonly ts: number;
        };
      },
    ): Promise<string>;
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): this;
    on(event: "server_error", listener: (context: Context, error: Error) => void): this;
    on(event: "grant.error", listener: (context: Context, error: Error) => void): this;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
  }
}
