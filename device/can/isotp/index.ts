/** ISO 15765-2 in user space: messages of up to 4095 bytes over frames of 8 or, with CAN FD, 64 bytes. */
export { type IsoTpFrame, MESSAGE_BYTES_MAX, parseFrame } from "./frames.ts";
export { createIsoTpLink, IsoTpError, type IsoTpLink, type IsoTpOptions } from "./link.ts";
export { ANSWER_MS_MAX, type FlowOffer } from "./transfer.ts";
