/**
 * The cloud put together: broker, ingest, commands, identity and tenants as services with a command line, which is how
 * it is used (`kerbside-cloud --help`). For programs beside it there are the API's client that the command line has, and
 * the door that stands before the HTTPS server.
 */
export { type Blocked, parseBlockList } from "./block-list.ts";
export { callApi, signIn } from "./cli/api-client.ts";
export { readInput, variableOf } from "./cli/command.ts";
export { COMMANDS } from "./cli/commands.ts";
export { runCli } from "./cli/run.ts";
export { type FrontDoorLimits, guardServer } from "./front-door.ts";
export { IngestQuota, type IngestQuotaParts } from "./ingest-quota.ts";
export { type AccountParts, accountsOf } from "./people.ts";
export { TOKEN_AUDIENCE } from "./ports.ts";
export { recently } from "./recent.ts";
export { registerRenewal } from "./renewal-route.ts";
export { watchRevocations } from "./revocations.ts";
export { type Probe, registerStatus, type Status, watchStatus } from "./status.ts";
export { startTelemetry, type Telemetry, type Usage } from "./telemetry.ts";
export { sift, TELEMETRY } from "./telemetry-list.ts";
export { tenantTools } from "./tools.ts";
export { type TracedNode, tracedNode } from "./traced.ts";
export { serviceVerifier, type TrustedIssuer, trustedIssuer } from "./trust.ts";
export { RINGS_AN_HOUR_MAX, wakeGateway } from "./wake-gateway.ts";
