/**
 * P-82: whom and what the open holds keep. Found anew each time, by what is booked and owned now, because a hold on a car
 * reaches whoever booked it within the times, in bookings made after it too.
 */
import type { HeldThing, Subject } from "@kerbside/protocol";
import { bookingsWithin } from "./bookings.ts";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { heldThing, type ThingRow } from "./held-things.ts";

/** The owners of keys and files that nothing of may go. Within the caller's transaction. */
export function heldSubjects(engine: Engine, sql: Sql): ReadonlySet<Subject> {
  const open = sql.all<ThingRow>(
    "SELECT DISTINCT person, vehicle, from_ms AS fromMs, to_ms AS toMs FROM holds WHERE released_at_ms IS NULL",
  );
  return new Set(open.flatMap((row) => subjectsOf(engine, sql, heldThing(row))));
}

function subjectsOf(engine: Engine, sql: Sql, thing: HeldThing): readonly Subject[] {
  if (thing.vehicle === undefined) {
    const booked = engine.finders.find("holder", thing.person).map((subject) => subject as Subject);
    return [`person:${thing.person}`, ...booked];
  }
  const { vehicle } = thing;
  const owner = sql.get<{ person: string }>(
    "SELECT person FROM vehicle_owners WHERE vehicle = ?",
    vehicle,
  );
  const booked = bookingsWithin(engine, sql, vehicle, thing).flatMap(
    ({ booking, holder }): readonly Subject[] =>
      // Without a holder its key is gone, and so is what there was to keep.
      holder === "" ? [] : [`booking:${booking}`, `person:${holder}`],
  );
  return [
    `vehicle:${vehicle}`,
    ...booked,
    ...(owner === undefined ? [] : [`person:${owner.person}` as const]),
  ];
}
