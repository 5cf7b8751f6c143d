/** A token issuer with the accounts of two tenants, and as much of a browser as signing in takes. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  Accounts,
  accountSeal,
  type Issuer,
  livingAccounts,
  openIssuer,
  PERSON_SCOPES,
  Resets,
  tokenVerifier,
} from "@kerbside/identity";
import {
  type Clock,
  type Role,
  randomBytes,
  type TenantId,
  type TokenVerifier,
  tenantId,
} from "@kerbside/protocol";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { person as newPerson } from "../../conformance/people-store.ts";
import { realClock, silentLog } from "../../support/runtime.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";
import { memoryVault } from "./pki.ts";

const ISSUER = "https://localhost:8443";
export const CONSOLE = `${ISSUER}/console/`;
export const PASSWORD = "tall grass by the canal";
export const VERIFIER = "v".repeat(64);
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");

export type World = {
  files: TestRegistry;
  /** What the issuer's clock is ahead of this machine's; the library of the issuer has its own. */
  ahead: { ms: number };
  accounts: Accounts;
  issuer: Issuer;
  server: Server;
  verify: TokenVerifier;
  readonly close: () => Promise<void>;
  who: { tenant: TenantId; person: string };
};
/** `ann` of tenant demo, with the role support. */
export async function openPeople(secondFactor: ReadonlySet<Role> = new Set()): Promise<World> {
  const ahead = { ms: -60_000 };
  const clock: Clock = { ...realClock, wallMs: () => Date.now() + ahead.ms };
  const files = await testRegistry(() => clock.wallMs());
  for (const id of ["demo", "rival"]) await files.create(id);
  const people = async (id: TenantId) => (await files.registry.tenant(id))?.store.people;
  const ports = { people, seal: accountSeal(randomBytes(32)), clock };
  const accounts = new Accounts(ports);
  const account = async (id: TenantId, person: string) => (await people(id))?.account(person);
  const record = newPerson();
  await (await people(tenantId("demo")))?.putPerson(record, AUDIT);
  const who = { tenant: tenantId("demo"), person: record.person };
  await accounts.create({ ...who, user: "ann", role: "support" }, AUDIT);
  await accounts.setPassword(who, PASSWORD, AUDIT);
  ahead.ms = 0;
  const issuer = await openIssuer({
    issuer: ISSUER,
    audience: "kerbside",
    scopes: [...PERSON_SCOPES, "platform:admin"],
    vault: memoryVault(),
    clients: { client: async () => undefined, verifyClient: async () => undefined },
    people: {
      accounts,
      resets: new Resets({
        ...ports,
        accounts,
        send: async () => undefined,
        link: (token) => token,
      }),
      mails: false,
      secondFactor,
      account,
      hasTenant: async (id) => (await files.registry.tenant(id)) !== undefined,
      redirects: [CONSOLE],
    },
    clock,
    log: silentLog,
  });
  const server = createServer(issuer.handler).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const verifier = tokenVerifier({
    issuer: ISSUER,
    audience: "kerbside",
    keys: issuer.jwks,
    clock,
  });
  const verify = livingAccounts(verifier, account, () => false, clock);
  const close = async (): Promise<void> => {
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    await files.close();
  };
  return { files, ahead, accounts, issuer, server, verify, who, close };
}

/** As much of a browser as it takes: cookies by path, redirects one at a time. */
export class Browser {
  readonly #port: number;
  readonly #cookies = new Map<string, { readonly value: string; readonly path: string }>();

  constructor(server: Server) {
    this.#port = (server.address() as AddressInfo).port;
  }

  async open(url: string, form?: Readonly<Record<string, string>>) {
    const { pathname, search } = new URL(url, ISSUER);
    const cookie = [...this.#cookies]
      .filter(([, { path }]) => pathname.startsWith(path))
      .map(([name, { value }]) => `${name}=${value}`)
      .join("; ");
    const answer = await fetch(`http://127.0.0.1:${this.#port}${pathname}${search}`, {
      headers: { cookie },
      redirect: "manual",
      ...(form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = "", ...rest] = line.split("; ");
      const [name = "", value = ""] = pair.split("=");
      const path = rest.find((part) => part.startsWith("path="))?.slice(5) ?? "/";
      if (value === "") this.#cookies.delete(name);
      else this.#cookies.set(name, { value, path });
      assert.match(line, /httponly/i, "no script reads it");
      assert.match(line, /samesite=lax/i);
    }
    return {
      status: answer.status,
      to: answer.headers.get("location") ?? "",
      csp: answer.headers.get("content-security-policy") ?? "",
      text: await answer.text(),
    };
  }
}

export function authorize(change: Readonly<Record<string, string>> = {}): string {
  const asked = new URLSearchParams({
    client_id: "console.demo",
    response_type: "code",
    redirect_uri: CONSOLE,
    state: "s1",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
    ...change,
  });
  return `/oauth/authorize?${asked}`;
}
