/**
 * Error frames of SocketCAN (linux/can/error.h): the class is in the identifier, details in the data. Only what
 * says how the controller fares is read; single bus errors are its own business.
 */
import type { BusState } from "./bus.ts";

const CAN_ERR_CRTL = 0x4;
const CAN_ERR_BUSOFF = 0x40;
const CAN_ERR_RESTARTED = 0x100;
/** In data[1], for CAN_ERR_CRTL. */
const CRTL_PASSIVE = 0x10 | 0x20;
const CRTL_ACTIVE = 0x40;
/** Below 96 errors again, of which warnings tell. */
const CRTL_WARNING = 0x04 | 0x08;

export const ERROR_MASK_ALL = 0x1fff_ffff;

/** The state that an error frame tells of, or undefined. */
export function stateOfErrorFrame(
  errorClass: number,
  data: Uint8Array,
): { readonly state: BusState; readonly reason: string } | undefined {
  if ((errorClass & CAN_ERR_BUSOFF) !== 0) return { state: "busOff", reason: "bus-off" };
  if ((errorClass & CAN_ERR_RESTARTED) !== 0) return { state: "up", reason: "restarted" };
  if ((errorClass & CAN_ERR_CRTL) === 0) return undefined;
  const detail = data[1] ?? 0;
  if ((detail & CRTL_PASSIVE) !== 0) return { state: "passive", reason: "error-passive" };
  if ((detail & (CRTL_ACTIVE | CRTL_WARNING)) !== 0) return { state: "up", reason: "error-active" };
  return undefined;
}
