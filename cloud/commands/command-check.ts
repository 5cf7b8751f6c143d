/** What is asked of a car, checked before anything is recorded as asked; what is refused is audited (P-51). */
import { type Caller, ProtocolError, type TenantStore } from "@kerbside/protocol";
import { checkBooking, checkExtras, checkScopes } from "./booking-rules.ts";
import type { CommandAsk } from "./command-ask.ts";

/** The same checks as the signer's, so that what cannot be is refused before anything is recorded as asked. */
export async function checkAsk(
  store: TenantStore,
  caller: Caller,
  ask: CommandAsk,
  nowMs: number,
): Promise<void> {
  const { action, vehicle, booking: bookingId } = ask;
  try {
    checkScopes(caller.scopes, action, bookingId !== undefined);
    checkExtras(action, { armMs: ask.armMs, hasTarget: ask.target !== undefined });
    const known = await store.vehicle(vehicle);
    if (known === undefined || known.revokedAtMs !== undefined) {
      throw new ProtocolError("not_found", "vehicle: none such is enrolled");
    }
    if (bookingId === undefined) return;
    const booking = await store.booking(bookingId);
    if (booking === undefined) {
      throw new ProtocolError("not_found", "booking: there is none such");
    }
    checkBooking(booking, { vehicle, action, nowMs });
  } catch (error) {
    if (error instanceof ProtocolError && error.code === "forbidden") {
      await store.audit({
        actor: caller.subject,
        action: "command.request",
        subject: `vehicle:${vehicle}`,
        outcome: "refused",
        reason: `${action}: ${error.message}`,
        ...(ask.from === undefined ? {} : { from: ask.from }),
      });
    }
    throw error;
  }
}
