/**
 * Collection schemes: data that say which signals become events and when, checked before they are accepted, and
 * the collector that runs them over the signal store. `shipped/` holds what car sharing needs.
 */
export type { KnownTrip, LockCause, TripMemory } from "./car-rules.ts";
export {
  type CarContext,
  type CheckedScheme,
  checkScheme,
  loadScheme,
  type SchemeCheck,
} from "./check.ts";
export { runProfile } from "./cli.ts";
export {
  type Collector,
  type CollectorOptions,
  type CollectorStats,
  createCollector,
  EVENTS_A_MINUTE_MAX,
  RUNNING_RULES_MAX,
} from "./collector.ts";
export type { Collected } from "./emit.ts";
export type { Scheme } from "./model.ts";
export { RECEPTION_MS } from "./reception.ts";
export {
  openSchemeShelf,
  SCHEME_BYTES_MAX,
  SCHEMES_MAX,
  type SchemeShelf,
  type SchemeShelfOptions,
} from "./shelf.ts";
export { readShippedScheme, shippedSchemes } from "./shipped.ts";
