/** A car's word that a rental began or ended is news of its booking: whoever follows the feed looks at it again. */
import { decodeCbor, EVENT_KINDS, eventDataCodec, type VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { announce } from "./engine.ts";

const KINDS: ReadonlyMap<number, "rental.started" | "rental.ended"> = new Map(
  (["rental.started", "rental.ended"] as const).map((kind) => [EVENT_KINDS[kind].code, kind]),
);

/** By the number of a kind. */
export const isOfRental = (code: number): boolean => KINDS.has(code);

/**
 * What to call with each event of a rental in a segment, within its transaction: announces the bookings of its rentals, once each.
 * A car may name what it likes: only a booking of that car is announced.
 */
export function rentalNews(
  sql: Sql,
  vehicle: VehicleId,
  nowMs: number,
): (kind: number, data: Uint8Array) => void {
  const told = new Set<string>();
  return (code, data) => {
    const kind = KINDS.get(code);
    if (kind === undefined) return;
    const said = eventDataCodec(kind).fromCbor(decodeCbor(data), kind);
    if (typeof said !== "object" || said === null || !("booking" in said)) return;
    const { booking } = said;
    if (typeof booking !== "string" || told.has(booking)) return;
    told.add(booking);
    const known = sql.get(
      "SELECT 1 FROM bookings WHERE booking = ? AND vehicle = ?",
      ...[booking, vehicle],
    );
    if (known !== undefined) announce(sql, nowMs, "booking", booking);
  };
}
