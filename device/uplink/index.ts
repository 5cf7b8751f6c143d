/**
 * The car's line to the cloud: who the car is and how it joins, a transport over MQTT, and the uplink that announces
 * sessions, sends segments until the tenant's store acknowledges them, and takes commands that verify. It queues
 * nothing: what is to be sent stays in the buffer, and a command that comes late is refused.
 */
export {
  type Budget,
  type BudgetOptions,
  type BudgetSettings,
  type LaneBudget,
  openBudget,
} from "./budget.ts";
export type { SegmentStore, Uplink, UplinkOptions, UplinkStatus } from "./contract.ts";
export { type EnrolmentConfig, enrol } from "./enrolment.ts";
export { writeDurably } from "./files.ts";
export { createFlight, type Flight } from "./flight.ts";
export { type Identity, loadIdentity } from "./identity.ts";
export { type CommandAnswer, type CommandExecutor, createIntake, type Intake } from "./intake.ts";
export { KEYS_FILE, type KeyRing, openKeyRing, type PinnedKeys } from "./key-ring.ts";
export { UPLINK_LIMITS, type UplinkLimits } from "./limits.ts";
export { type MqttTransportOptions, mqttTransport } from "./mqtt-transport.ts";
export { type Certificate, type CertificateOptions, keepCertificate } from "./renewal.ts";
export { againstChain, type JudgeLife, openServer, type ServerOptions } from "./server-trust.ts";
export { createSession, type Session } from "./session.ts";
export { startUplink } from "./uplink.ts";
export { type CommandContext, type CommandVerdict, verifyCommand } from "./verify-command.ts";
