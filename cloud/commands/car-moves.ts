/** A booking becomes `open` by the car's own signed answer, never by a caller's word. */
import {
  type CommandRecord,
  type CommandResult,
  type Log,
  ProtocolError,
  type TenantStore,
} from "@kerbside/protocol";
import { OPENING_ACTIONS } from "./booking-rules.ts";
import type { SignerClient } from "./signer/client.ts";

/** The first unlocking of a reserved booking opens it. A failure leaves it reserved; the next one opens it. */
export async function openByResult(
  parts: { readonly signer: Pick<SignerClient, "openBooking">; readonly log: Log },
  store: TenantStore,
  command: CommandRecord,
  answer: { readonly result: CommandResult; readonly envelope: Uint8Array },
): Promise<void> {
  const { result, envelope } = answer;
  const { action, booking, vehicle } = command;
  if (result.status !== "executed" || !OPENING_ACTIONS.has(action) || booking === undefined) return;
  if ((await store.booking(booking))?.state !== "reserved") return;
  try {
    const opened = await parts.signer.openBooking(store.tenant, envelope);
    if (opened === undefined) return;
    await store.putBooking(opened, {
      actor: `vehicle:${vehicle}`,
      action: "booking.open",
      subject: `booking:${booking}`,
      outcome: "done",
      reason: `command ${command.id} was executed`,
    });
  } catch (error) {
    parts.log.warn("booking.open_failed", {
      code: error instanceof ProtocolError ? error.code : "unavailable",
    });
  }
}
