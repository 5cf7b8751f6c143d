/**
 * What a tired author might do to people's data, as a table: each row is one change of one place, and the test that must
 * notice it. A test that lets its row pass proves nothing.
 */
import type { Edit } from "../faults/hooks.ts";

export type Breakage = Edit & {
  readonly name: string;
  /** Below `test/`, without `.test.ts`. */
  readonly test: string;
  /** Part of the name of the test that must fail. */
  readonly noticedBy: string;
};

export const BREAKAGES: readonly Breakage[] = [
  {
    name: "P-02 a token of one tenant is let into another's paths",
    file: "cloud/commands/api/api.ts",
    from: `if (params["tenant"] !== caller.tenant) return sendNotFound(reply);`,
    to: "",
    test: "cloud/commands/matrix",
    noticedBy: "P-02 at another tenant",
  },
  {
    name: "P-61 the scope of a route is not looked at",
    file: "cloud/commands/api/api.ts",
    from: "if (known !== undefined && !route.scopes.some((s) => known.caller.scopes.has(s))) {",
    to: "if (known === undefined) {",
    test: "cloud/commands/matrix",
    noticedBy: "P-02 P-61 each role reaches",
  },
  {
    name: "P-52 a read of personal data is not recorded",
    file: "cloud/commands/api/api.ts",
    from: "if (route.personal === true) await auditRead(route, call);",
    to: "",
    test: "cloud/commands/people-api",
    noticedBy: "P-52",
  },
  {
    name: "P-21 a personal column has lost its tag",
    file: "cloud/tenants/people-schema.ts",
    from: "profile /* CBOR, sealed under the person's key #PPI */ BLOB NOT NULL",
    to: "profile /* CBOR, sealed under the person's key */ BLOB NOT NULL",
    test: "cloud/tenants/personal-data",
    noticedBy: "P-20 P-21 every column",
  },
  {
    name: "P-31 a booking's holder is stored in the clear",
    file: "cloud/tenants/bookings.ts",
    from: "const holder = key.seal(utf8(record.holder), binding(engine, booking));",
    to: "const holder = utf8(record.holder);",
    test: "cloud/tenants/personal-data",
    noticedBy: "P-31 no position, VIN, holder",
  },
  {
    name: "P-41 a personal field of logs counts as Internal",
    file: "shared/protocol/log-fields.ts",
    from: `latitude: personal("GEO", "of a car"),`,
    to: `latitude: internal("of a car"),`,
    test: "shared/protocol/log-fields",
    noticedBy: "P-41 fields that are personal",
  },
  {
    name: "P-50 a write leaves no record",
    file: "cloud/tenants/people-store.ts",
    from: "audited(audit, (sql) => giveConsent(sql, person, consent)),",
    to: "store.write((sql) => giveConsent(sql, person, consent)),",
    test: "cloud/tenants/audited-writes",
    noticedBy: "P-50 P-51 each write",
  },
  {
    name: "P-23 card numbers are taken",
    file: "cloud/tenants/people.ts",
    from: `refuseCardNumbers("profile", profile);`,
    to: "",
    test: "cloud/commands/people-api",
    noticedBy: "P-23",
  },
  {
    name: "P-81 erasing leaves the person's key",
    file: "cloud/tenants/erasure.ts",
    from: "for (const subject of [...booked, personSubject(person)])",
    to: "for (const subject of booked)",
    test: "cloud/tenants/erasure",
    noticedBy: "P-",
  },
];
