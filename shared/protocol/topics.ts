/**
 * The MQTT topics: `kb/v1/{tenant}/{vehicle}/{channel}[/{lane}]`. A car may publish on its own `up`, `session`,
 * `result` and `gone`, and subscribe to its own `ack`, `command`, `time` and `artefact`; nothing else.
 */
import { ProtocolError } from "./errors.ts";
import { type TenantId, tenantId, type VehicleId, vehicleId } from "./ids.ts";
import { isLane, type Lane } from "./lanes.ts";

/** Which way each channel goes, and what bounds a message on it, in bytes. */
export const CHANNELS = {
  up: { from: "car", bytesMax: 256 * 1024, doc: "segments of a lane (the lane is the last level)" },
  session: { from: "car", bytesMax: 4096, doc: "the signed announcement of a session" },
  result: { from: "car", bytesMax: 16 * 1024, doc: "signed results of commands" },
  gone: { from: "car", bytesMax: 64, doc: "the will: the epoch whose connection ended" },
  ack: { from: "cloud", bytesMax: 16 * 1024, doc: "authenticated acknowledgements" },
  command: { from: "cloud", bytesMax: 4096, doc: "signed commands" },
  time: { from: "cloud", bytesMax: 1024, doc: "signed cloud time bound to the car's nonce" },
  artefact: {
    from: "cloud",
    bytesMax: 256 * 1024,
    doc: "signed profiles, schemes, flows, key certificates",
  },
} as const satisfies Record<string, { from: "car" | "cloud"; bytesMax: number; doc: string }>;
export type Channel = keyof typeof CHANNELS;

export type Address = { readonly tenant: TenantId; readonly vehicle: VehicleId };
export type Topic = Address & { readonly channel: Channel; readonly lane?: Lane };

export const TOPIC_CHARS_MAX = 128;
const ROOT = "kb/v1";

/** The MQTT client id of a car, which must equal the subject of its certificate: `{tenant}.{vehicle}`. */
export function clientIdOf({ tenant, vehicle }: Address): string {
  return `${tenant}.${vehicle}`;
}

/** Throws ProtocolError `malformed`. */
export function parseClientId(clientId: string): Address {
  const [tenant, vehicle, ...rest] = clientId.split(".");
  if (rest.length > 0)
    throw new ProtocolError("malformed", "client id: expected {tenant}.{vehicle}");
  return { tenant: tenantId(tenant), vehicle: vehicleId(vehicle) };
}

export function topicOf({ tenant, vehicle }: Address, channel: Exclude<Channel, "up">): string {
  return `${ROOT}/${tenant}/${vehicle}/${channel}`;
}

export function upTopicOf({ tenant, vehicle }: Address, lane: Lane): string {
  return `${ROOT}/${tenant}/${vehicle}/up/${lane}`;
}

/** Reads a topic strictly. Throws ProtocolError `malformed`. */
export function parseTopic(topic: string): Topic {
  const levels = topic.length <= TOPIC_CHARS_MAX ? topic.split("/") : [];
  const [kb, version, tenant, vehicle, channel, lane] = levels;
  const known = channel !== undefined && Object.hasOwn(CHANNELS, channel);
  if (kb !== "kb" || version !== "v1" || !known || levels.length !== (channel === "up" ? 6 : 5)) {
    throw new ProtocolError("malformed", `topic: expected ${ROOT}/{tenant}/{vehicle}/{channel}`);
  }
  const address = {
    tenant: tenantId(tenant),
    vehicle: vehicleId(vehicle),
    channel: channel as Channel,
  };
  if (channel !== "up") return address;
  if (!isLane(lane)) throw new ProtocolError("malformed", "topic: expected a lane after up/");
  return { ...address, lane };
}
