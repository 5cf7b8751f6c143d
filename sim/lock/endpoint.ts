/** The lock controller's end of the lock link. */
import {
  type Clock,
  type LockLinkSendable,
  LockLinkSession,
  type LockMessage,
  type Random,
  utf8,
} from "@kerbside/protocol";
import { FIRMWARE } from "./controller.ts";
import { type OpenLine, socketLine } from "./line.ts";
import { type LinkEndpoint, serveLink } from "./link-endpoint.ts";

export type LockEndpointOptions = {
  /** Of a Unix socket, or the line itself. */
  readonly path: string | OpenLine;
  /** 32 bytes, the same as the module's. */
  readonly pairingKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Pick<Random, "bytes">;
  readonly onMessage: (message: LockMessage) => void;
  /** Whether the firmware runs; what comes while it does not is lost. */
  readonly isAwake: () => boolean;
};
export type LockEndpoint = LinkEndpoint<LockLinkSendable>;

const CONTROLLER_ID = utf8("KSLOCK01");

/** Opens the line. Rejects if somebody else serves it. A new connection takes the line over. */
export function serveLock(options: LockEndpointOptions): Promise<LockEndpoint> {
  const { pairingKey, random, path, ...rest } = options;
  const line = typeof path === "string" ? socketLine(path) : path;
  const fresh = (): LockLinkSession =>
    new LockLinkSession({
      role: "controller",
      pairingKey,
      id: CONTROLLER_ID,
      random,
      firmware: FIRMWARE,
    });
  return serveLink({ ...rest, line, fresh });
}
