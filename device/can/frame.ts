/** One thing seen on a CAN bus, as every part of this package passes it on: drivers, logs, decoders. */
export type CanFrame = {
  /** Microseconds since the epoch or since the log's own start; null where the source has no time. */
  timeUs: number | null;
  /** The interface or channel as its source names it ("can0", "vcan1", "0"). */
  bus: string;
  /** 11 or 29 bits without any flag. For an error frame the error class mask (29 bits). */
  id: number;
  ext: boolean;
  kind: "data" | "remote" | "error";
  /** True for CAN FD; only then may `data` be longer than CLASSIC_BYTES_MAX. */
  fd: boolean;
  /** At most FD_BYTES_MAX bytes; empty for a remote frame. */
  data: Uint8Array;
};

export const CLASSIC_BYTES_MAX = 8;
export const FD_BYTES_MAX = 64;
export const STANDARD_ID_MAX = 0x7ff;
export const EXTENDED_ID_MAX = 0x1fffffff;
