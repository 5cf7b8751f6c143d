/** `vehicle enrol|revoke|list`: the cars of a tenant. */
import { ID_PATTERN, ProtocolError, vehicleId } from "@kerbside/protocol";
import { type Command, MADE_TENANT_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withTenant } from "./open.ts";

const VEHICLE_OPTION = { value: "VEHICLE", required: true, doc: "id of the car, a pseudonym" };
const HOURS_MAX = 24 * 30;
/** Tokens of one call: a fleet that joins. */
const FLEET_MAX = 20_000;
const HOUR_MS = 3_600_000;

export const VEHICLE_COMMANDS: readonly Command[] = [
  {
    name: "vehicle enrol",
    summary: "Prints a one-time token with which the car's agent may join the tenant.",
    options: {
      ...MADE_TENANT_OPTIONS,
      vehicle: VEHICLE_OPTION,
      profile: { value: "PROFILE", required: true, doc: "the car's vehicle profile" },
      hours: { value: "N", default: "24", doc: `how long the token lives, 1 to ${HOURS_MAX}` },
      count: { value: "N", default: "1", doc: "of more than one: VEHICLE-1 to VEHICLE-N" },
    },
    run: (input) => {
      const name = input.text("vehicle");
      const count = input.integer("count", 1, FLEET_MAX);
      const names =
        count === 1 ? [name] : Array.from({ length: count }, (_, i) => `${name}-${i + 1}`);
      const vehicles = names.map((one) => asked(() => vehicleId(one)));
      const profile = input.text("profile");
      if (!ID_PATTERN.test(profile))
        throw new UsageError("vehicle enrol: --profile expects 1 to 40 of a–z, 0–9 and hyphen");
      const hours = input.integer("hours", 1, HOURS_MAX);
      return withTenant(input, async ({ store }, { platform }) => {
        const { tenant } = store;
        for (const vehicle of vehicles) {
          const known = await store.vehicle(vehicle);
          if (known !== undefined && known.revokedAtMs === undefined)
            throw new ProtocolError(
              "conflict",
              `vehicle ${vehicle}: is enrolled already; vehicle revoke ends that`,
            );
          const audit = byOperator(input, "vehicle.token", `vehicle:${vehicle}`);
          await store.audit(audit);
          const grant = { tenant, vehicle, profile, lifeMs: hours * HOUR_MS };
          const expiresAt = new Date(Date.now() + grant.lifeMs).toISOString();
          const token = await platform.issueEnrolmentToken(grant, audit);
          input.print({ tenant, vehicle, profile, token, expiresAt }, token);
        }
        return 0;
      });
    },
  },
  {
    name: "vehicle revoke",
    summary: "Ends a car's right to connect; a live connection ends within two seconds.",
    options: {
      ...MADE_TENANT_OPTIONS,
      vehicle: VEHICLE_OPTION,
      reason: { value: "TEXT", doc: "why, for the audit" },
    },
    run: (input) => {
      const vehicle = asked(() => vehicleId(input.text("vehicle")));
      return withTenant(input, async ({ store }) => {
        const record = await store.vehicle(vehicle);
        if (record === undefined)
          throw new ProtocolError("not_found", `vehicle ${vehicle}: is not there`);
        const reason = input.optional("reason");
        const audit = byOperator(input, "vehicle.revoke", `vehicle:${vehicle}`, reason);
        const revokedAtMs = record.revokedAtMs ?? Date.now();
        await store.putVehicle({ ...record, revokedAtMs }, audit);
        input.print({ tenant: store.tenant, vehicle, revoked: true }, `${vehicle} is revoked`);
        return 0;
      });
    },
  },
  {
    name: "vehicle list",
    summary: "Lists the enrolled cars, and which of them are connected.",
    options: MADE_TENANT_OPTIONS,
    run: (input) =>
      withTenant(input, async ({ store }) => {
        for (const { vehicle, profile, enrolledAtMs, revokedAtMs } of await store.vehicles()) {
          const online = (await store.session(vehicle))?.online ?? false;
          const enrolledAt = new Date(enrolledAtMs).toISOString();
          const state = revokedAtMs === undefined ? (online ? "online" : "offline") : "revoked";
          input.print(
            { vehicle, profile, enrolledAt, state },
            `${vehicle}  ${state}  ${profile}  since ${enrolledAt}`,
          );
        }
        return 0;
      }),
  },
];
