/** The tenant's tools, for the pages of its staff. */
import { ProtocolError } from "@kerbside/protocol";
import type { TenantTools } from "../tenant-tools.ts";
import type { Call } from "./route.ts";

/** Throws ProtocolError `unavailable` where this cloud was put together without them. */
export async function toolsOf({ parts, caller }: Call): Promise<TenantTools> {
  const tools = await parts.tools?.(caller.tenant);
  if (tools === undefined) throw new ProtocolError("unavailable", "tools: this store has none");
  return tools;
}
