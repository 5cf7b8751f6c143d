/** SAE J1939-21: what a 29-bit identifier says beside its number. */

export type J1939Id = {
  readonly priority: number;
  /** Parameter group number, with the destination left out for PDU1. */
  readonly pgn: number;
  readonly source: number;
  /** Null for PDU2, which is always broadcast. */
  readonly destination: number | null;
};

/** Below this PDU format the next byte is a destination address, not part of the group (J1939-21 5.1.2). */
const PDU2_FORMAT_MIN = 240;
/** "Null address" and "global address": in a DBC they stand for any source. */
export const J1939_NULL_ADDRESS = 0xfe;
export const J1939_GLOBAL_ADDRESS = 0xff;

export function parseJ1939Id(id: number): J1939Id {
  const format = (id >>> 16) & 0xff;
  const group = (id >>> 8) & 0x3ffff;
  const toOne = format < PDU2_FORMAT_MIN;
  return {
    priority: (id >>> 26) & 7,
    pgn: toOne ? group & 0x3ff00 : group,
    source: id & 0xff,
    destination: toOne ? group & 0xff : null,
  };
}

export function pgnOf(id: number): number {
  const group = (id >>> 8) & 0x3ffff;
  return ((id >>> 16) & 0xff) < PDU2_FORMAT_MIN ? group & 0x3ff00 : group;
}
