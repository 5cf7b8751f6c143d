/**
 * The services' log: pino, JSON lines on standard error. The interface takes flat fields of class Public or Internal
 * only, so that nothing personal can be handed to it whole (P-41).
 */
import type { Log } from "@kerbside/protocol";
import { destination, pino } from "pino";

const STDERR = 2;

export function serviceLog(service: string): Log {
  const options = { base: { service }, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = pino(options, destination({ fd: STDERR, sync: true }));
  return {
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  };
}
