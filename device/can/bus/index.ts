/**
 * Buses: one interface (`CanBus`), and its drivers: SocketCAN interfaces, the simulator's socket with both its ends, and
 * recorded logs.
 */
export {
  BUS_STATES,
  type BusEvent,
  type BusFrame,
  type BusListener,
  type BusState,
  type BusStats,
  type CanBus,
  frameProblem,
  type OutgoingFrame,
  type SendOutcome,
} from "./bus.ts";
export { SILENT_MS_DEFAULT } from "./feed.ts";
export { type CanFilter, FILTERS_MAX, filtersFor } from "./filters.ts";
export { deliveredIn } from "./linux-interfaces.ts";
export { createReplayBus, type ReplayBusOptions } from "./replay-bus.ts";
export { type BusServer, type ServeBusOptions, serveBus } from "./serve-bus.ts";
export { createSocketBus, type SocketBusOptions } from "./socket-bus.ts";
export { createSocketCanBus, type SocketCanBusOptions } from "./socketcan-bus.ts";
export {
  type Channel,
  type Interfaces,
  type Message,
  Receiver,
  type ReceiverOptions,
} from "./socketcan-receiver.ts";
export {
  encodeFrameRecord,
  encodeRefusedRecord,
  encodeStateRecord,
  GREETING,
  WireDecoder,
  WireError,
  type WireRecord,
} from "./wire.ts";
