/** The tenant's privacy mode, applied to what a segment holds before anything of it is stored. */
import {
  columnEvents,
  eventAtMs,
  type TenantStore,
  type VehicleId,
  withPositions,
} from "@kerbside/protocol";
import type { SegmentContent } from "./segment.ts";

/** The content itself where the tenant keeps positions exactly. */
export async function privately(
  { privacy }: Pick<TenantStore, "privacy">,
  vehicle: VehicleId,
  content: SegmentContent,
): Promise<SegmentContent> {
  const policy = await privacy.positions();
  const { rented, free } = policy;
  if (rented === "exact" && free === "exact") return content;
  const { columns } = content;
  const events = columns === undefined ? content.events : columnEvents(columns.body, columns.count);
  if (events.length === 0) return content;
  const times = events.map(eventAtMs);
  const within = { fromMs: Math.min(...times), toMs: Math.max(...times) };
  const rentals = rented === free ? [] : await privacy.rentals(vehicle, within);
  return { events: withPositions(events, policy, rentals) };
}
