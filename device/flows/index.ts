/**
 * Operators' own event rules in the car: Node-RED in a cage without network, files, keys or environment, fed the
 * signals a flow file declares, and able only to propose the events it declares. The cage (`cage.ts`, `cage.sh`), the
 * engine inside it (`engine.ts`), what is believed of its words (`proposals.ts`), and who keeps it all going
 * (`flows.ts`). The nodes that rules are drawn with are in `palette/`.
 */

export { type FlowIo, runFlow } from "./cli.ts";
export {
  FLOW_BYTES_MAX,
  type FlowFile,
  flowProblems,
  flowSchema,
  parseFlow,
} from "./flow-file.ts";
export { createFlows, type Flows, type FlowsOptions, type FlowsState } from "./flows.ts";
export { EXCLUDED_NODES, NODE_TYPES } from "./node-types.ts";
export { EVENTS_PER_MINUTE_MAX, Judge, type Judged } from "./proposals.ts";
