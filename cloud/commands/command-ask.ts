/** What is asked of a car, and the record that it begins with. */
import {
  type Action,
  type AuditEntry,
  type Caller,
  type Clock,
  type CommandRecord,
  type Random,
  toHex,
  type VehicleId,
} from "@kerbside/protocol";
import { COMMAND_LIFE_MS_DEFAULT } from "./session-clock.ts";

/** What a car may take, past a command's life, to move its bolts, sense them and answer over a slow network. */
const RESULT_GRACE_MS = 10_000;
/** After this long without an answer a command is `unknown`, where nothing else is said. */
export const COMMAND_DEADLINE_MS: number = COMMAND_LIFE_MS_DEFAULT + RESULT_GRACE_MS;

export type CommandAsk = {
  readonly vehicle: VehicleId;
  readonly action: Action;
  readonly booking?: string;
  /** How long it may stay armed on the car until that stands. */
  readonly armMs?: number;
  /** The armed command that `cancel` is for, hexadecimal. */
  readonly target?: string;
  /** How long a sleeping car may take to wake; missing: it is not woken. */
  readonly wakeMs?: number;
  readonly idempotencyKey: string;
  /** SHA-256 of what was asked, hexadecimal. */
  readonly digest: string;
  /** Where the request came from, for the audit. */
  readonly from?: string;
  /** Whether the caller is about to wait for the answer. */
  readonly awaited?: boolean;
};

export function newCommand(
  caller: Caller,
  ask: CommandAsk,
  parts: { readonly clock: Clock; readonly random: Random; readonly deadlineMs?: number },
): CommandRecord {
  const nowMs = parts.clock.wallMs();
  return {
    id: toHex(parts.random.bytes(16)),
    vehicle: ask.vehicle,
    action: ask.action,
    ...(ask.booking === undefined ? {} : { booking: ask.booking }),
    requestedBy: caller.subject,
    idempotencyKey: ask.idempotencyKey,
    requestDigest: ask.digest,
    state: "accepted",
    steps: [{ state: "accepted", atMs: nowMs }],
    deadlineMs: nowMs + (ask.wakeMs ?? 0) + (parts.deadlineMs ?? COMMAND_DEADLINE_MS),
  };
}

/** How the audit has it (P-51). */
export function requested(
  { subject }: Caller,
  id: string,
  { action, vehicle, from }: CommandAsk,
): AuditEntry {
  return {
    actor: subject,
    action: "command.request",
    subject: `command:${id}`,
    outcome: "asked",
    reason: `${action} ${vehicle}`,
    ...(from === undefined ? {} : { from }),
  };
}
