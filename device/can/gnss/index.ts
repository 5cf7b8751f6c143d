/** Position and time from a GNSS receiver that speaks NMEA 0183. */
export { SentenceSplitter } from "./lines.ts";
export { type Fix, type Heard, hear, POSITION_START, type PositionState } from "./position.ts";
export {
  type ByteLine,
  type GnssOptions,
  type GnssReceiver,
  type GnssTime,
  type ReceiverState,
  startGnssReceiver,
} from "./receiver.ts";
