/**
 * The agent's log: pino, JSON lines on standard error. The interface takes only flat fields of class Public or
 * Internal, so nothing personal can be handed to it whole (P-41).
 */
import type { Log } from "@kerbside/protocol";
import { destination, pino } from "pino";

const STDERR = 2;

export function agentLog(): Log {
  const logger = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: STDERR, sync: true }),
  );
  return {
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  };
}
