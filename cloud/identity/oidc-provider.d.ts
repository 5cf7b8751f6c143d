/** The few parts of oidc-provider that are used here; it comes without types. */
declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  export type ClientMetadata = Readonly<Record<string, unknown>> & { readonly client_id: string };

  export type Context = {
    readonly req: IncomingMessage;
    readonly path: string;
    readonly ip: string;
    status: number;
    body: unknown;
    readonly set: (name: string, value: string) => void;
    readonly oidc?: {
      readonly client?: Client;
      readonly params?: { readonly client_id?: string; scope?: string | undefined };
    };
  };

  export class Client {
    readonly clientId: string;
    readonly [extra: string]: unknown;
    compareClientSecret(actual: string): boolean | Promise<boolean>;
  }

  export const errors: { readonly InvalidTarget: new () => Error };

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    readonly Client: { readonly prototype: Client };
    proxy: boolean;
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): this;
    on(event: "server_error", listener: (context: Context, error: Error) => void): this;
    on(event: "grant.error", listener: (context: Context, error: Error) => void): this;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
  }
}
