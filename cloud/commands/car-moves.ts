/** What a booking becomes by the car's own signed answer: `open` never by anything else, `ended` also by a caller's word. */
import {
  type BookingRecord,
  type CommandRecord,
  type CommandResult,
  type Log,
  ProtocolError,
  type TenantId,
  type TenantStore,
} from "@kerbside/protocol";
import { moveByCar } from "./booking-rules.ts";
import type { SignerClient } from "./signer/client.ts";

export type CarMoveParts = {
  readonly signer: Pick<SignerClient, "movedBooking">;
  /** Told of the change, once it is stored. Never rejects. */
  readonly bookingChanged?:
    | ((tenant: TenantId, booking: BookingRecord) => Promise<void>)
    | undefined;
  readonly log: Log;
};

/**
 * The first unlocking of a reserved booking opens it, and the end of the rental ends it. A failure leaves it as it was:
 * the next unlocking opens it, and a caller can end it.
 */
export async function moveByResult(
  parts: CarMoveParts,
  store: TenantStore,
  command: CommandRecord,
  answer: { readonly result: CommandResult; readonly envelope: Uint8Array },
): Promise<void> {
  const { result, envelope } = answer;
  const { action, booking, vehicle } = command;
  if (result.status !== "executed" || booking === undefined) return;
  const state = (await store.booking(booking))?.state;
  if (state === undefined || moveByCar(action, state) === undefined) return;
  try {
    const moved = await parts.signer.movedBooking(store.tenant, envelope);
    if (moved === undefined) return;
    await store.putBooking(moved, {
      actor: `vehicle:${vehicle}`,
      action: moved.state === "open" ? "booking.open" : "booking.end",
      subject: `booking:${booking}`,
      outcome: "done",
      reason: `command ${command.id} was executed`,
    });
    // Nobody who waits for the command waits for what follows in the car's list.
    void parts.bookingChanged?.(store.tenant, moved);
  } catch (error) {
    parts.log.warn("booking.not_moved", {
      code: error instanceof ProtocolError ? error.code : "unavailable",
    });
  }
}
