/** Joining the tenant: once in a car's life, tried until the cloud answers; a refusal ends the agent. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, type Log, ProtocolError, type Random } from "@kerbside/protocol";
import { type CertificateLife, type CertificateVerdict, judgeCertificate } from "@kerbside/time";
import { enrol, type Identity, loadIdentity } from "@kerbside/uplink";
import type { AgentConfig } from "./config.ts";
import { AGENT_BUILT_MS } from "./version.ts";

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 60_000;

export type JoinOptions = {
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/**
 * The car's identity; enrols first where it has none. Tries again while the cloud cannot be reached, with a pause that
 * grows and varies. Throws ProtocolError where it is refused or where the files on the disk are damaged, and the
 * signal's reason when that fires.
 */
export async function joinTenant(options: JoinOptions): Promise<Identity> {
  const { config, log, signal } = options;
  const dir = identityDir(config);
  const known = loadIdentity(dir);
  if (known !== undefined) return checked(known, config);
  const token = readFileSync(config.enrolment.tokenFile, "utf8").trim();
  const ca = readFileSync(config.enrolment.caFile, "utf8");
  const address = { tenant: config.tenant, vehicle: config.vehicle };
  for (let pauseMs = RETRY_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, RETRY_MS_MAX)) {
    signal.throwIfAborted();
    try {
      const { url } = config.enrolment;
      const identity = await enrol({ dir, address, url, ca, token, judge: firstContact });
      log.info("enrolment.done", {});
      return identity;
    } catch (error) {
      if (!(error instanceof ProtocolError && error.temporary)) throw error;
      log.warn("enrolment.retry", { reason: error.message, pauseMs });
      await pause(options, pauseMs);
    }
  }
}

/**
 * At first contact no time is trusted yet, and the module may have booted in 1970: only what ended before this version
 * was made is certainly over.
 */
function firstContact(life: CertificateLife): CertificateVerdict {
  return judgeCertificate(life, { value: "unknown", floorMs: AGENT_BUILT_MS });
}

/** Where the car's keys and certificates are. */
export function identityDir({ dataDir }: Pick<AgentConfig, "dataDir">): string {
  return join(dataDir, "identity");
}

function checked(identity: Identity, { tenant, vehicle }: AgentConfig): Identity {
  const { address } = identity;
  if (address.tenant === tenant && address.vehicle === vehicle) return identity;
  const found = `${address.tenant}/${address.vehicle}`;
  throw new ProtocolError(
    "conflict",
    `the configuration names ${tenant}/${vehicle}, the identity on the disk is ${found}`,
  );
}

function pause({ clock, random, signal }: JoinOptions, maxMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.after(maxMs / 2 + (random.fraction() * maxMs) / 2, done);
    signal.addEventListener("abort", done);
  });
}
