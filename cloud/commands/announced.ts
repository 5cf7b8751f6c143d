/** What a car is answered when it announces itself: keys it has not; time and grants; then what was published for it. */
import {
  type Clock,
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
  readonly clock: Clock;
  /** Once it is aborted nothing is tried again. */
  readonly closing: AbortSignal;
  readonly log: Log;
};
/** How long after a signer that did not answer it is asked again; the last for as long as it does not. */
const AGAIN_MS = [250, 1000, 5000, 30_000] as const;

/**
 * Never rejects: what did not come about is done at the next announcement. Only the signer is asked until it answers, as
 * it must have heard of an announcement to sign anything for it that lives (see its memory).
 */
export function answerAnnouncements(
  given: AnnouncedParts,
): (tenant: TenantId, session: SessionRecord) => Promise<void> {
  const waiting = new Set<Timer>();
  const parts: Parts = { ...given, newest: new Map(), waiting };
  const { newest } = parts;
  const cancel = (): void => {
    for (const timer of waiting) timer.cancel();
  };
  given.closing.addEventListener("abort", cancel, { once: true });
  return async (tenant, session) => {
    newest.set(carOf(tenant, session), session.envelope);
    // In this order on the wire: a list may be signed by a key that comes with the push before it.
    await pushKeys(parts, tenant, session);
    await Promise.all([parts.grants.announced(tenant, session), tellTime(parts, tenant, session)]);
    // The largest, and what waits best.
    await parts.artefacts.announced(tenant, session);
  };
}

type Parts = AnnouncedParts & {
  /** The announcements that the signer has not answered yet. */
  readonly newest: Map<string, Uint8Array>;
  readonly waiting: Set<Timer>;
};
type Timer = ReturnType<Clock["after"]>;
const carOf = (tenant: TenantId, { vehicle }: SessionRecord): string => `${tenant} ${vehicle}`;

async function tellTime(
  parts: Parts,
  tenant: TenantId,
  session: SessionRecord,
  tries = 0,
): Promise<void> {
  const { signer, downlink, log, clock, closing, newest, waiting } = parts;
  const car = carOf(tenant, session);
  const isNewest = (): boolean => newest.get(car) === session.envelope;
  const { vehicle, envelope } = session;
  try {
    const answer = await signer.answerTime(tenant, envelope);
    if (isNewest()) newest.delete(car);
    await downlink.send({ tenant, vehicle }, "time", answer);
  } catch (error) {
    const code = error instanceof ProtocolError ? error.code : "bug";
    log.warn("time.not_told", { code });
    if (!isNewest()) return;
    if (code !== "unavailable") {
      newest.delete(car);
      return;
    }
    if (closing.aborted) return;
    const again = clock.after(AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] ?? 0, () => {
      waiting.delete(again);
      if (isNewest()) void tellTime(parts, tenant, session, tries + 1);
    });
    waiting.add(again);
  }
}
