/**
 * The services' log: pino, JSON lines on standard error. The interface takes flat fields only, and what the
 * schema does not know as Public or Internal is masked whole (P-41).
 */
import { type Log, maskFields } from "@kerbside/protocol";
import { destination, pino } from "pino";

const STDERR = 2;

export function serviceLog(service: string): Log {
  const options = { base: { service }, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = pino(options, destination({ fd: STDERR, sync: true }));
  return {
    info: (event, fields = {}) => logger.info(maskFields(fields), event),
    warn: (event, fields = {}) => logger.warn(maskFields(fields), event),
    error: (event, fields = {}) => logger.error(maskFields(fields), event),
  };
}
