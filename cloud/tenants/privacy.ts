/** What the tenant keeps of positions, whose cars are a person's, and when cars are rented. See privacy.ts of the protocol. */
import {
  isPositionRule,
  POLICY_LIFE_MS,
  POSITIONS_EXACT,
  type PositionPolicy,
  type PrivacyStore,
  ProtocolError,
  type Span,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import type { Audited } from "./people-store.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const PRIVACY_SQL = `
CREATE TABLE position_policy /* how exactly positions are kept; one row at most */ (
  id /* 1 */ INTEGER PRIMARY KEY CHECK (id = 1),
  rented /* exact, coarse or none: while the car is booked */ TEXT NOT NULL,
  free /* the same: else */ TEXT NOT NULL
) STRICT;
CREATE TABLE vehicle_owners /* cars that are a person's #SPI */ (
  vehicle /* pseudonym */ TEXT PRIMARY KEY,
  person /* UUIDv4 #SPI */ TEXT NOT NULL
) STRICT;
CREATE INDEX vehicle_owners_person ON vehicle_owners (person);
CREATE INDEX bookings_times ON bookings (vehicle, from_ms);
`;

const internal = ["Internal"] as const;
export const PRIVACY_CLASSES: ColumnClasses = {
  position_policy: { id: internal, rented: internal, free: internal },
  vehicle_owners: { vehicle: internal, person: ["Confidential", "SPI"] },
};

export function privacyStore({ store, nowMs }: Engine, audited: Audited): PrivacyStore {
  let known: { readonly policy: PositionPolicy; readonly atMs: number } | undefined;
  return {
    positions: async () => {
      // Asked for each segment that comes in.
      if (known !== undefined && nowMs() - known.atMs < POLICY_LIFE_MS) return known.policy;
      known = { policy: store.read(readPolicy), atMs: nowMs() };
      return known.policy;
    },
    setPositions: async ({ rented, free }, audit) => {
      const entry = { ...audit, reason: `rented ${rented}, free ${free}` };
      audited(entry, (sql) =>
        sql.run(
          "INSERT INTO position_policy (id, rented, free) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET rented = excluded.rented, free = excluded.free",
          rented,
          free,
        ),
      );
      known = undefined;
    },
    rentals: async (vehicle, within) => store.read((sql) => readRentals(sql, vehicle, within)),
    ownerOf: async (vehicle) =>
      store.read(
        (sql) =>
          sql.get<{ person: string }>(
            "SELECT person FROM vehicle_owners WHERE vehicle = ?",
            vehicle,
          )?.person,
      ),
    setOwner: async (vehicle, person, audit) => {
      audited(audit, (sql) => {
        sql.run("DELETE FROM vehicle_owners WHERE vehicle = ?", vehicle);
        if (person !== undefined)
          sql.run("INSERT INTO vehicle_owners (vehicle, person) VALUES (?, ?)", vehicle, person);
      });
    },
    carsOf: async (person) =>
      store.read((sql) =>
        sql
          .all<{ vehicle: string }>(
            "SELECT vehicle FROM vehicle_owners WHERE person = ? ORDER BY vehicle",
            person,
          )
          .map(({ vehicle }) => vehicleId(vehicle)),
      ),
  };
}

function readPolicy(sql: Sql): PositionPolicy {
  const row = sql.get<{ rented: string; free: string }>("SELECT rented, free FROM position_policy");
  if (row === undefined) return POSITIONS_EXACT;
  const { rented, free } = row;
  if (isPositionRule(rented) && isPositionRule(free)) return { rented, free };
  throw new ProtocolError("storage_failed", "privacy: its rules are none of the known ones");
}

function readRentals(sql: Sql, vehicle: VehicleId, { fromMs, toMs }: Span): readonly Span[] {
  return sql
    .all<{ fromMs: number; toMs: number; state: string }>(
      "SELECT from_ms AS fromMs, to_ms AS toMs, state FROM bookings WHERE vehicle = ? AND from_ms <= ? AND (to_ms >= ? OR state = 'open') AND state <> 'cancelled'",
      vehicle,
      toMs,
      fromMs,
    )
    .map(({ state, ...span }) =>
      // One that runs over is somebody's until it is ended.
      state === "open" ? { ...span, toMs: Number.MAX_SAFE_INTEGER } : span,
    );
}
