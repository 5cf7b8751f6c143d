/**
 * Operators' own event rules in the car: Node-RED in a cage without network, files, keys or environment, fed the
 * signals a flow file declares, and able only to propose the events it declares. The cage (`cage.ts`, `cage.sh`), the
 * engine inside it (`engine.ts`), what is believed of its words (`proposals.ts`), and who keeps it all going
 * (`flows.ts`). The nodes that rules are drawn with are in `palette/`.
 */
export {
  FLOW_BYTES_MAX,
  type FlowFile,
  flowProblems,
  flowSchema,
  NODE_TYPES,
  parseFlow,
} from "./flow-file.ts";
export { createFlows, type Flows, type FlowsOptions, type FlowsState } from "./flows.ts";
