/** The version of the agent, as it tells the cloud. */
export const AGENT_VERSION = "0.1.0";
