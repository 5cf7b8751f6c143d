/**
 * The agent of a car, composed from its leaves. Its door for the outside is the command line (main.ts); what is here
 * are parts of the composition that hold without a whole agent around them.
 */
export { type Agent, type AgentOptions, startAgent } from "./agent.ts";
export { type ArtefactParts, artefactTaker } from "./artefacts.ts";
export {
  type AgentStatus,
  agentMetrics,
  metricValues,
  readMetrics,
  serveMetrics,
} from "./metrics.ts";
export { NTP_AGE_MS_MAX, watchNtp } from "./ntp-watch.ts";
export {
  type Entered,
  PowerCare,
  type PowerCareOptions,
  platformFile,
  powerLimits,
} from "./power-care.ts";
export { keepersOf, openShelves, type Shelves } from "./shelves.ts";
export { SleepingTransport } from "./sleeping-transport.ts";
export { openTripFile, type TripFile } from "./trip-file.ts";
export { MODEM_WAKES_AN_HOUR_MAX, WakeLine } from "./wake-line.ts";
export type { Wires } from "./wires.ts";
