/**
 * P-71: a token of a person is good only while the account is: whoever was locked, closed or given a new password after
 * it was issued is out at the next call, although the token itself would live on. So is a program whose client was revoked.
 */
import {
  type AccountRecord,
  type Clock,
  ProtocolError,
  type TenantId,
  type TokenVerifier,
} from "@kerbside/protocol";
import { isAlive } from "./account-rules.ts";

export const PERSON_SUBJECT = "person:";

export function livingAccounts(
  verify: TokenVerifier,
  account: (tenant: TenantId, person: string) => Promise<AccountRecord | undefined>,
  hasClient: (tenant: TenantId, client: string) => boolean,
  clock: Pick<Clock, "wallMs">,
): TokenVerifier {
  return async (token) => {
    const caller = await verify(token);
    const { subject, role, tenant, issuedAtMs = 0 } = caller;
    if (role === undefined && !subject.startsWith(PERSON_SUBJECT)) {
      if (hasClient(tenant, subject)) return caller;
      throw new ProtocolError("unauthenticated", "access token: the client was revoked");
    }
    const record = await account(tenant, subject.slice(PERSON_SUBJECT.length));
    const isGood =
      record !== undefined && record.role === role && isAlive(record, issuedAtMs, clock.wallMs());
    if (!isGood)
      throw new ProtocolError("unauthenticated", "access token: the account is not open");
    return caller;
  };
}
