/**
 * Recorded and piped CAN traffic as text: candump in all its forms and six formats of other tools, told
 * apart by their content; and the writer of `candump -l` logs.
 */
export { formatCandump } from "./candump.ts";
export {
  LogFormatError,
  type LogProblem,
  LogReader,
  type LogReaderOptions,
  type ReadLogOptions,
  readLog,
} from "./reader.ts";
