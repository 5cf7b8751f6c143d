/** What the cloud can change about reading this car: its profile and its collection schemes, the last good ones kept. */
import { join } from "node:path";
import {
  type Collector,
  type CompiledProfile,
  openProfileShelf,
  openSchemeShelf,
  type ProfileShelf,
  readProfile,
  readShippedProfile,
  type SchemeShelf,
} from "@kerbside/can";
import type { PolicyStore } from "@kerbside/immobiliser";
import type { NewEvent } from "@kerbside/protocol";
import type { ArtefactParts } from "./artefacts.ts";
import type { AgentConfig } from "./config.ts";

export type Shelves = {
  readonly profile: ProfileShelf;
  readonly schemes: SchemeShelf;
};

/** Throws ProfileError for an installed profile that is wrong; what is kept gives way where it is damaged. */
export async function openShelves(
  config: Pick<AgentConfig, "dataDir" | "profile" | "tenant">,
): Promise<Shelves> {
  const { dataDir, tenant } = config;
  const profile = await openProfileShelf({
    dir: join(dataDir, "profile"),
    tenant,
    installed: installedProfile(config.profile),
  });
  const schemes = await openSchemeShelf({
    dir: join(dataDir, "schemes"),
    tenant,
    profile: profile.profile.profile,
  });
  return { profile, schemes };
}

function installedProfile(name: string): CompiledProfile {
  return name.endsWith(".json") ? readProfile(name) : readShippedProfile(name);
}

/** Schemes are in force when they are on the disk, all at once; a profile from the next start on. */
export function keepersOf(
  { profile, schemes }: Shelves,
  policy: Pick<PolicyStore, "apply">,
  collector: Pick<Collector, "apply">,
): ArtefactParts["keepers"] {
  return {
    profile: profile.accept,
    rental: policy.apply,
    scheme: async (...pushed) => {
      if (await schemes.accept(...pushed)) collector.apply(schemes.schemes());
    },
  };
}

/** Kept files that could not be used: what was before them is in force. */
export function tellDamaged({ profile, schemes }: Shelves, emit: (event: NewEvent) => void): void {
  const files = [...profile.damaged, ...schemes.damaged].map(({ file }) => file);
  if (files.length === 0) return;
  const detail = files.join(" ").slice(0, DETAIL_CHARS_MAX);
  emit({
    kind: "fault.raised",
    data: { code: "artefact.damaged", detail, count: files.length },
  });
}

const DETAIL_CHARS_MAX = 200;
