/**
 * From frames to signals: what the agent knows of a car's bus. DBC files and logs (`dbc/`, `logs/`), the
 * command lines over them (`cli/`), and beside them drivers, ISO-TP and OBD, profiles, the signal store
 * and collection schemes. Frames are `CanFrame` everywhere.
 */
export * from "./bus/index.ts";
export * from "./cli/index.ts";
export * from "./dbc/index.ts";
export * from "./expression/index.ts";
export {
  type CanFrame,
  CLASSIC_BYTES_MAX,
  EXTENDED_ID_MAX,
  FD_BYTES_MAX,
  STANDARD_ID_MAX,
} from "./frame.ts";
export * from "./gnss/index.ts";
export * from "./isotp/index.ts";
export * from "./logs/index.ts";
export * from "./obd/index.ts";
export * from "./profile/index.ts";
export * from "./schemes/index.ts";
export { openShelf, type Shelf, type ShelfRule } from "./shelf.ts";
export * from "./store/index.ts";
