/**
 * The agent's log: pino, JSON lines on standard error. The interface takes flat fields only, and what the
 * schema does not know as Public or Internal is masked whole (P-41).
 */
import { type Log, maskFields } from "@kerbside/protocol";
import { destination, pino } from "pino";

const STDERR = 2;

export function agentLog(): Log {
  const logger = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: STDERR, sync: true }),
  );
  return {
    info: (event, fields = {}) => logger.info(maskFields(fields), event),
    warn: (event, fields = {}) => logger.warn(maskFields(fields), event),
    error: (event, fields = {}) => logger.error(maskFields(fields), event),
  };
}
