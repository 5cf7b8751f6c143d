/**
 * Rings a sleeping car's wake line through whoever sends messages to its SIM. The gateway is told the car's pseudonym
 * and nothing else: it alone knows the number. A message only wakes; it carries no command, and none is kept for it.
 */
import { type Address, type Clock, clientIdOf, type Log, ProtocolError } from "@kerbside/protocol";
import { readOutward, tell } from "./outward.ts";

/** Messages cost money, and wakes a car's battery: beyond this a car is not rung until the hour is over. */
export const RINGS_AN_HOUR_MAX = 12;
const HOUR_MS = 3_600_000;
/** Cars whose rings are remembered at a time; beyond it the one that was rung longest ago is forgotten. */
const CARS_MAX = 10_000;

export type WakeGatewayOptions = {
  /** See `readOutward`. Read for each ring. */
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Resolves when the gateway has taken the message over, which says nothing of the car. Rejects with ProtocolError
 * `unavailable` or `limit_reached`.
 */
export function wakeGateway({
  file,
  clock,
  log,
}: WakeGatewayOptions): (address: Address) => Promise<void> {
  const rings = new Map<string, readonly number[]>();
  return async (address) => {
    const car = clientIdOf(address);
    const nowMs = clock.bootMs();
    const recent = (rings.get(car) ?? []).filter((atMs) => nowMs - atMs < HOUR_MS);
    if (recent.length >= RINGS_AN_HOUR_MAX) {
      throw new ProtocolError("limit_reached", "vehicle: was woken too often within the hour");
    }
    rings.delete(car);
    const [oldest] = rings.keys();
    if (rings.size >= CARS_MAX && oldest !== undefined) rings.delete(oldest);
    rings.set(car, [...recent, nowMs]);
    try {
      const { tenant, vehicle } = address;
      const body = JSON.stringify({ tenant, vehicle });
      await tell(readOutward(file), { type: "application/json", body });
    } catch (error) {
      log.warn("wake.not_sent", { what: error instanceof Error ? error.message : "bug" });
      throw new ProtocolError("unavailable", "vehicle: its wake line could not be rung");
    }
  };
}
