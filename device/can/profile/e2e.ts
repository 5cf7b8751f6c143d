/**
 * Counters and checksums of single messages (end-to-end protection): what the receiver checks and what the
 * simulator stamps. The methods are a table; each is computed over the whole payload but the checksum's byte.
 */
export const CHECKSUMS = [
  "crc8-sae-j1850",
  "crc8-autosar",
  "xor8",
  "sum8",
  "sum8-id-length",
] as const;
/**
 * `crc8-sae-j1850`: polynomial 0x1D, initial and final 0xFF, over the data id (high byte, low byte), then the data
 * (as AUTOSAR E2E profile 1 with both bytes of the id). `crc8-autosar`: polynomial 0x2F, initial and final 0xFF,
 * over the data, then the data id's low byte (as the cars of the VW MQB family have it). `xor8`, `sum8`: of the
 * data and the data id's bytes. `sum8-id-length`: sum of the CAN id's bytes, the length and the data (as Toyota
 * has it); the data id is the CAN id.
 */
export type ChecksumMethod = (typeof CHECKSUMS)[number];

/** Where counter and checksum of a message are. The checksum fills one byte of its own. */
export type E2eRule = {
  readonly counter?: { readonly signal: string; readonly modulus: number };
  readonly checksum?: {
    readonly signal: string;
    readonly algorithm: ChecksumMethod;
    readonly dataId: number;
  };
};

function tableOf(polynomial: number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? crc << 1 : (crc << 1) ^ polynomial;
    return crc & 0xff;
  });
}

/** SAE J1850, and AUTOSAR Specification of CRC Routines §7.2.1.2 (CRC8H2F). */
const TABLE_1D = tableOf(0x1d);
const TABLE_2F = tableOf(0x2f);

function crc(table: Uint8Array, start: number, bytes: Uint8Array, skip: number): number {
  let value = start;
  for (let i = 0; i < bytes.length; i++) {
    if (i !== skip) value = table[value ^ (bytes[i] ?? 0)] ?? 0;
  }
  return value;
}

function fold(bytes: Uint8Array, skip: number, start: number, add: boolean): number {
  let value = start;
  for (let i = 0; i < bytes.length; i++) {
    if (i === skip) continue;
    value = add ? value + (bytes[i] ?? 0) : value ^ (bytes[i] ?? 0);
  }
  return value & 0xff;
}

/** The checksum a payload must have; the byte at `at`, which will hold it, is left out. */
export function checksumOf(
  method: ChecksumMethod,
  dataId: number,
  data: Uint8Array,
  at: number,
): number {
  const high = (dataId >>> 8) & 0xff;
  const low = dataId & 0xff;
  switch (method) {
    case "crc8-sae-j1850": {
      const start = TABLE_1D[(TABLE_1D[0xff ^ high] ?? 0) ^ low] ?? 0;
      return crc(TABLE_1D, start, data, at) ^ 0xff;
    }
    case "crc8-autosar":
      return (TABLE_2F[crc(TABLE_2F, 0xff, data, at) ^ low] ?? 0) ^ 0xff;
    case "xor8":
      return fold(data, at, high ^ low, false);
    case "sum8":
      return fold(data, at, high + low, true);
    case "sum8-id-length": {
      const ids = (dataId >>> 24) + ((dataId >>> 16) & 0xff) + high + low;
      return fold(data, at, ids + data.length, true);
    }
  }
}
