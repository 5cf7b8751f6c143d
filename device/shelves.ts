/** What the cloud can change about this car: its profile, its collection schemes and the operators' flows, the last good ones kept. */
import { join } from "node:path";
import {
  type Collector,
  type CompiledProfile,
  openProfileShelf,
  openSchemeShelf,
  openShelf,
  type ProfileShelf,
  readProfile,
  readShippedProfile,
  type SchemeShelf,
  type Shelf,
} from "@kerbside/can";
import { FLOW_BYTES_MAX, type FlowFile, parseFlow } from "@kerbside/flows";
import type { PolicyStore } from "@kerbside/immobiliser";
import { type Log, type NewEvent, ProtocolError } from "@kerbside/protocol";
import type { ArtefactParts } from "./artefacts.ts";
import type { AgentConfig } from "./config.ts";
import type { FlowRules } from "./flow-rules.ts";
import { openReceipts, type Receipts } from "./receipts.ts";

export type Shelves = {
  readonly profile: ProfileShelf;
  readonly schemes: SchemeShelf;
  readonly flows: Shelf<FlowFile>;
  readonly receipts: Receipts;
};

/** They share one cage, and its memory. */
const FLOWS_MAX = 8;

/** Throws ProfileError for an installed profile that is wrong; what is kept gives way where it is damaged. */
export async function openShelves(
  config: Pick<AgentConfig, "dataDir" | "profile" | "tenant">,
  log: Log,
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
  const flows = await openFlowShelf(join(dataDir, "flows"), tenant);
  const receipts = await openReceipts(join(dataDir, "receipts"), log);
  return { profile, schemes, flows, receipts };
}

function openFlowShelf(dir: string, tenant: string): Promise<Shelf<FlowFile>> {
  return openShelf<FlowFile>({
    dir,
    tenant,
    kind: "flow",
    namesMax: FLOWS_MAX,
    bytesMax: FLOW_BYTES_MAX,
    check: ({ name, version }, content) => {
      const flow = parseFlow(content);
      if (flow.name !== name || flow.version !== version) {
        const message = `flow ${name}: signed under another name or version`;
        throw new ProtocolError("malformed", message);
      }
      return flow;
    },
  });
}

/** What is to run now. */
export function flowsOf({ flows }: Pick<Shelves, "flows">): readonly FlowFile[] {
  return [...flows.kept().values()].map(({ checked }) => checked);
}

function installedProfile(name: string): CompiledProfile {
  return name.endsWith(".json") ? readProfile(name) : readShippedProfile(name);
}

/** Schemes are in force when they are on the disk, all at once; a profile from the next start on. */
export function keepersOf(
  shelves: Shelves,
  policy: Pick<PolicyStore, "apply">,
  collector: Pick<Collector, "apply">,
  rules: Pick<FlowRules, "apply">,
): ArtefactParts["keepers"] {
  const { profile, schemes, flows } = shelves;
  return {
    flow: async (...pushed) => {
      if (await flows.accept(...pushed)) rules.apply(flowsOf(shelves));
    },
    profile: profile.accept,
    rental: policy.apply,
    scheme: async (...pushed) => {
      if (await schemes.accept(...pushed)) collector.apply(schemes.schemes());
    },
  };
}

/** Kept files that could not be used: what was before them is in force. */
export function tellDamaged(shelves: Shelves, emit: (event: NewEvent) => void): void {
  const { profile, schemes, flows } = shelves;
  const damaged = [...profile.damaged, ...schemes.damaged, ...flows.damaged];
  const files = damaged.map(({ file }) => file);
  if (files.length === 0) return;
  const detail = files.join(" ").slice(0, DETAIL_CHARS_MAX);
  emit({
    kind: "fault.raised",
    data: { code: "artefact.damaged", detail, count: files.length },
  });
}

const DETAIL_CHARS_MAX = 200;
