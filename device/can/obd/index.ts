/** Diagnosis by OBD-II and a little UDS: a client, the poller that fills gaps of a car's bus, and a unit that answers. */
export { createDiagnosisClient, type DiagnosisClient, type Reply } from "./client.ts";
export { createObdEcu, type EcuState, type ObdEcu } from "./ecu.ts";
export { type ObdPoller, startObdPoller } from "./poller.ts";
export { ADDRESSES, answerTo, SERVICES, troubleBytes, troubleCode } from "./services.ts";
