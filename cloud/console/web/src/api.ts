/** The API as whoever is signed in may call it. */
import { Client } from "@kerbside/client";
import type { Session } from "./session.ts";

export class Api extends Client {
  readonly session: Session;

  constructor(session: Session) {
    super({ origin: "", tenant: session.tenant, token: session.token });
    this.session = session;
  }

  may(scope: string): boolean {
    return this.session.scopes.has(scope);
  }
}
