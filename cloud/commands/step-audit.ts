/** What the audit says of a command's step (P-51). */
import type { AuditEntry, CommandRecord } from "@kerbside/protocol";

const OUTCOMES: Readonly<Record<CommandRecord["state"], AuditEntry["outcome"]>> = {
  accepted: "asked",
  signed: "asked",
  sent: "asked",
  received: "asked",
  armed: "asked",
  executed: "done",
  refused: "refused",
  expired: "failed",
  unknown: "failed",
  failed: "failed",
  waking: "asked",
  cancelled: "done",
};

export function stepAudit(
  id: string,
  state: CommandRecord["state"],
  error: string | undefined,
  actor: string,
): AuditEntry {
  return {
    actor,
    action: `command.${state}`,
    subject: `command:${id}`,
    outcome: OUTCOMES[state],
    ...(error === undefined ? {} : { reason: error }),
  };
}
