/**
 * The embedded MQTT broker: aedes behind mutual TLS 1.3, with a guard of our own in front of it. It is a `Source` of
 * what cars send and a `Downlink` to them, and nothing else: no car reaches another, nothing is retained, nothing is
 * queued. Who a car is comes from its certificate alone; a message is acknowledged (PUBACK) only after the handler
 * has taken it over; the end of every accepted connection is handed over as a message on `gone`. In its place the cloud
 * can be a client of a broker of the operator's own (outside.ts).
 */
export { type Broker, type BrokerOptions, type BrokerTls, startBroker } from "./broker.ts";
export type { CarIdentity, IdentifyCar } from "./identity.ts";
export { BROKER_LIMITS, type BrokerLimits } from "./limits.ts";
export {
  carRules,
  connectOutsideBroker,
  nodeRules,
  type OutsideBroker,
  type OutsideBrokerOptions,
} from "./outside.ts";
export type { Refusal } from "./refusals.ts";
