/** What a phone can show: a signature over a challenge of this car, and perhaps a grant that it brought along. */
import {
  type Address,
  type CarriedGrant,
  encode,
  equalBytes,
  type GrantAction,
  openCarriedGrant,
  openPhoneAnswer,
  ProtocolError,
  phoneChallengeCodec,
  type Random,
  sha256,
  type VerifyKey,
} from "@kerbside/protocol";
import type { AccessFacts, Reason } from "./evaluate.ts";
import type { ReaderDriver } from "./reader-driver.ts";

const NONCE_BYTES = 16;

export type PhoneProofOptions = {
  readonly address: Address;
  readonly presentation: number;
  readonly reader: Pick<ReaderDriver, "exchange">;
  readonly random: Pick<Random, "bytes">;
  readonly time: AccessFacts["time"];
  readonly grantKey: () => VerifyKey | undefined;
};

export type Heard =
  | {
      readonly heard: true;
      readonly publicKey: Uint8Array;
      readonly action: GrantAction;
      /** A reason where it brought one that does not count. */
      readonly carried?: CarriedGrant | Reason;
    }
  | { readonly heard: false; readonly reason: Reason };

export async function hearPhone(options: PhoneProofOptions): Promise<Heard> {
  const { address, presentation, reader, random, time } = options;
  const challenge = encode(phoneChallengeCodec, {
    tenant: address.tenant,
    vehicle: address.vehicle,
    nonce: random.bytes(NONCE_BYTES),
    ...(time.value === "known" ? { wallMs: time.wallMs } : {}),
  });
  const answer = await reader.exchange(presentation, challenge);
  if (answer === undefined) return { heard: false, reason: "no_answer" };
  const said = open(answer);
  if (said === undefined) return { heard: false, reason: "not_understood" };
  const { publicKey, action, challengeHash, carried: envelope } = said;
  if (!equalBytes(challengeHash, sha256(challenge)))
    return { heard: false, reason: "not_this_challenge" };
  if (envelope === undefined) return { heard: true, publicKey, action };
  return { heard: true, publicKey, action, carried: openCarried(options, publicKey, envelope) };
}

function open(answer: Uint8Array): ReturnType<typeof openPhoneAnswer> | undefined {
  try {
    return openPhoneAnswer(answer);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function openCarried(
  { address, grantKey }: PhoneProofOptions,
  publicKey: Uint8Array,
  envelope: Uint8Array,
): CarriedGrant | Reason {
  const key = grantKey();
  if (key === undefined) return "carried_not_authentic";
  try {
    const carried = openCarriedGrant(key, envelope);
    const { tenant, vehicle, grant } = carried;
    const isHere = tenant === address.tenant && vehicle === address.vehicle;
    const isIts = grant.phone !== undefined && equalBytes(grant.phone.publicKey, publicKey);
    return isHere && isIts ? carried : "carried_other_car";
  } catch (error) {
    if (error instanceof ProtocolError) return "carried_not_authentic";
    throw error;
  }
}
