/** The events of the car as the tenant's store holds them, and what they say in words. */
import type { Backend, Json } from "./api.ts";
import { isJson } from "./api.ts";
import { VEHICLE } from "./parts.ts";

export type StoredEvent = {
  readonly log: string;
  readonly lane: string;
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly data: Json;
};
export type Gap = {
  readonly log: string;
  readonly lane: string;
  readonly gap: readonly [number, number];
};

export function placeOf({ log, lane, seq }: StoredEvent): string {
  return `${log} ${lane} ${seq}`;
}

function isEvent(item: Json): boolean {
  return (
    typeof item["kind"] === "string" && typeof item["seq"] === "number" && isJson(item["data"])
  );
}

/** Everything stored of the car since a moment, and the gaps that it declared. */
export async function storedSince(
  backend: Backend,
  fromMs: number,
): Promise<{ readonly events: readonly StoredEvent[]; readonly gaps: readonly Gap[] }> {
  const from = encodeURIComponent(new Date(fromMs).toISOString());
  const items = await backend.all(`/events?vehicle=${VEHICLE}&from=${from}&limit=500`);
  // The API's own schema vouches for the rest of the shape.
  const events = items.filter(isEvent) as unknown as readonly StoredEvent[];
  const gaps = items.filter((item) => Array.isArray(item["gap"])) as unknown as readonly Gap[];
  return { events, gaps };
}

/** What an event says, or undefined for what comes too often to be told. */
export function tell({ kind, data }: StoredEvent): string | undefined {
  const yes = (value: unknown, a: string, b: string): string => (value === true ? a : b);
  switch (kind) {
    case "lock.changed":
      return `${yes(data["locked"], "locked", "unlocked")}, seen by its bolts`;
    case "door.changed":
      return `door ${String(data["door"])} ${yes(data["open"], "opened", "closed")}`;
    case "ignition.changed":
      return `ignition ${String(data["state"])}`;
    case "trip.started":
      return "a trip began";
    case "trip.ended":
      return `the trip ended after ${String(data["distanceM"])} m and ${String(data["durationS"])} s`;
    case "command.completed":
      return `command ${String(data["action"])}: ${String(data["status"])}`;
    case "fault.raised":
      return `fault ${String(data["code"])}`;
    case "fault.cleared":
      return `fault ${String(data["code"])} is over`;
    case "agent.started":
      return `the agent began a log, the one before ended ${yes(data["previousEndedCleanly"], "cleanly", "without a word")}`;
    case "vehicle.parked":
      return "parked";
    default:
      return undefined;
  }
}
