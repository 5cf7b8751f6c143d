/**
 * The secret of an account, sealed by the issuer's side together with what the row says in plain: whoever else can write
 * to the store makes no account that the issuer believes, gives nobody a role and unlocks nothing.
 */
import {
  type AccountRecord,
  AEAD_NONCE_BYTES,
  accountSecretCodec,
  aeadOpen,
  aeadSeal,
  concatBytes,
  decode,
  deriveKey,
  encode,
  encodeCbor,
  randomBytes,
  type TenantId,
} from "@kerbside/protocol";
import type { Account } from "./account-rules.ts";

export type AccountSeal = {
  readonly seal: (tenant: TenantId, account: Account, version: number) => AccountRecord;
  /** Throws ProtocolError `unauthenticated` where it was not made so here. */
  readonly open: (tenant: TenantId, record: AccountRecord) => Account;
};

export function accountSeal(issuerKey: Uint8Array): AccountSeal {
  const key = deriveKey(issuerKey, "kerbside/v1/accounts");
  return {
    seal: (tenant, { secret, ...plain }, version) => {
      const nonce = randomBytes(AEAD_NONCE_BYTES);
      const bound = binding(tenant, { ...plain, version });
      const sealed = aeadSeal(key, nonce, encode(accountSecretCodec, secret), bound);
      return { ...plain, version, secret: concatBytes(nonce, sealed) };
    },
    open: (tenant, { secret, version, ...plain }) => {
      const nonce = secret.subarray(0, AEAD_NONCE_BYTES);
      const bound = binding(tenant, { ...plain, version });
      const opened = aeadOpen(key, nonce, secret.subarray(AEAD_NONCE_BYTES), bound);
      return { ...plain, secret: decode(accountSecretCodec, opened) };
    },
  };
}

function binding(tenant: TenantId, row: Omit<AccountRecord, "secret">): Uint8Array {
  const { person, version, role, state, tokensAfterMs } = row;
  const untilMs = state.at === "locked" ? state.untilMs : null;
  return encodeCbor([
    "kerbside/v1/account",
    ...[tenant, person, version, role, state.at, untilMs, tokensAfterMs],
  ]);
}
