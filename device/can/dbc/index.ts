/**
 * DBC files: a tolerant parser, and a codec compiled from what it read. `parseDbc` makes the model,
 * `compileDbc` finds and decodes frames by identifier, `compileMessage` decodes one message straight
 * into slots of a Float64Array.
 */
export {
  CompiledDbc,
  CompiledMessage,
  compileDbc,
  compileMessage,
  type DecodedFrame,
} from "./compile.ts";
export { EncodeError, type EncodeOptions, type EncodeValues } from "./encode.ts";
export { NUMBER_BITS_MAX, type RawValue } from "./extract.ts";
export {
  DECODED_ALL,
  DECODED_NONE,
  DECODED_SOME,
  type DecodeInto,
  type DecodeStatus,
} from "./generate.ts";
export { type J1939Id, parseJ1939Id } from "./j1939.ts";
export {
  type Dbc,
  type DbcAttribute,
  DbcError,
  type DbcMessage,
  type DbcMux,
  type DbcProblem,
  type DbcSignal,
  formatProblem,
  type MuxRange,
} from "./model.ts";
export { type ParseDbcOptions, parseDbc } from "./parse.ts";
