/** Kernel filters from what a profile asks for: a frame that nobody wants costs nothing then. */
import { pgnOf } from "../dbc/j1939.ts";

/** As `struct can_filter`: a frame passes if (id & mask) equals (filter's id & mask). */
export type CanFilter = { readonly id: number; readonly mask: number };

const EFF_FLAG = 0x8000_0000;
const RTR_FLAG = 0x4000_0000;
const STANDARD_MASK = 0x7ff;
const EXTENDED_MASK = 0x1fff_ffff;
/** Priority and source address may be anything (SAE J1939-21). */
const PDU2_MASK = 0x03ff_ff00;
const PDU1_MASK = 0x03ff_0000;
const PDU2_FORMAT_MIN = 240;
/** CAN_RAW_FILTER_MAX. */
export const FILTERS_MAX = 512;

type Wanted = { readonly id: number; readonly ext: boolean; readonly j1939?: boolean };

/** One filter a message; none at all (everything passes) where there would be more than the kernel takes. */
export function filtersFor(wanted: readonly Wanted[]): readonly CanFilter[] {
  if (wanted.length > FILTERS_MAX) return [];
  return wanted.map(({ id, ext, j1939 = false }) => {
    const flags = EFF_FLAG | RTR_FLAG;
    if (!ext) return { id, mask: (STANDARD_MASK | flags) >>> 0 };
    if (!j1939) return { id: (id | EFF_FLAG) >>> 0, mask: (EXTENDED_MASK | flags) >>> 0 };
    const toOne = ((id >>> 16) & 0xff) < PDU2_FORMAT_MIN;
    const group = toOne ? PDU1_MASK : PDU2_MASK;
    return { id: ((pgnOf(id) << 8) | EFF_FLAG) >>> 0, mask: (group | flags) >>> 0 };
  });
}
