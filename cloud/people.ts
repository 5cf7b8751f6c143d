/** People's accounts as the issuer's process and the command line have them: over the tenants' stores, by the issuer's key. */
import {
  Accounts,
  accountSeal,
  type PeopleOptions,
  Resets,
  type SendMail,
} from "@kerbside/identity";
import type { Clock, PeopleStore, TenantId } from "@kerbside/protocol";
import type { Tenants } from "@kerbside/tenants";

export type AccountParts = {
  readonly tenants: Pick<Tenants, "tenant">;
  readonly issuerKey: Uint8Array;
  readonly clock: Pick<Clock, "wallMs">;
};

type Ports = ConstructorParameters<typeof Accounts>[0];

function portsOf({ tenants, issuerKey, clock }: AccountParts): Ports {
  const people = async (id: TenantId): Promise<PeopleStore | undefined> =>
    (await tenants.tenant(id))?.store.people;
  return { people, seal: accountSeal(issuerKey), clock };
}

export function accountsOf(parts: AccountParts): Accounts {
  return new Accounts(portsOf(parts));
}

/** `issuer` is the address of the pages. Throws ProtocolError `malformed` (the time that a reset may take). */
export function resetsOf(
  parts: AccountParts,
  issuer: string,
  send: SendMail,
  resetMs?: number,
): Resets {
  return new Resets({
    ...portsOf(parts),
    accounts: accountsOf(parts),
    send,
    link: (token) => `${issuer}/oauth/people/reset/finish?token=${encodeURIComponent(token)}`,
    ...(resetMs === undefined ? {} : { resetMs }),
  });
}

export function peopleOptions(
  parts: AccountParts,
  issuer: string,
  resets: Resets,
  { mails, secondFactor }: Pick<PeopleOptions, "mails" | "secondFactor">,
): PeopleOptions {
  const { tenants } = parts;
  return {
    accounts: accountsOf(parts),
    resets,
    mails,
    secondFactor,
    account: async (id, person) => (await tenants.tenant(id))?.store.people.account(person),
    hasTenant: async (id) => (await tenants.tenant(id)) !== undefined,
    redirects: [`${issuer}/console/`],
  };
}
