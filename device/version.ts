/** The version of the agent, as it tells the cloud. */
export const AGENT_VERSION = "0.1.0";
/** When this version was made, Unix time: it is certainly later than that. Raised with the version. */
export const AGENT_BUILT_MS: number = Date.UTC(2026, 10, 1);
