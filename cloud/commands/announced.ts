/** What a car is answered when it announces itself: keys it has not; time and grants; then what was published for it. */
import {
  type Downlink,
  type Log,
  ProtocolError,
  type SessionRecord,
  type TenantId,
} from "@kerbside/protocol";
import type { ArtefactService } from "./artefacts.ts";
import { type CertifiedKeys, pushKeys } from "./car-keys.ts";
import type { GrantService } from "./grants.ts";
import type { SignerClient } from "./signer/client.ts";

export type AnnouncedParts = {
  readonly signer: Pick<SignerClient, "answerTime">;
  readonly keys: (tenant: TenantId) => Promise<CertifiedKeys | undefined>;
  readonly grants: Pick<GrantService, "announced">;
  readonly artefacts: Pick<ArtefactService, "announced">;
  readonly downlink: Downlink;
  readonly log: Log;
};

/** Never rejects: what did not come about is done at the next announcement. */
export function answerAnnouncements(
  parts: AnnouncedParts,
): (tenant: TenantId, session: SessionRecord) => Promise<void> {
  return async (tenant, session) => {
    // In this order on the wire: a list may be signed by a key that comes with the push before it.
    await pushKeys(parts, tenant, session);
    await Promise.all([parts.grants.announced(tenant, session), tellTime(parts, tenant, session)]);
    // The largest, and what waits best.
    await parts.artefacts.announced(tenant, session);
  };
}

async function tellTime(
  { signer, downlink, log }: AnnouncedParts,
  tenant: TenantId,
  { vehicle, envelope }: SessionRecord,
): Promise<void> {
  try {
    const answer = await signer.answerTime(tenant, envelope);
    await downlink.send({ tenant, vehicle }, "time", answer);
  } catch (error) {
    log.warn("time.not_told", { code: error instanceof ProtocolError ? error.code : "bug" });
  }
}
