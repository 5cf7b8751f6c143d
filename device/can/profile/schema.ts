/** The one schema of profiles: `profile.schema.json` is printed from it, and documents are checked by it. */
import { ACTIONS, LOCK_ACTIONS, SIGNALS } from "@kerbside/protocol";
import Type, { type TSchema } from "typebox";
import { CHECKSUMS } from "./e2e.ts";
import { POWERTRAINS } from "./model.ts";

export const PROFILE_SCHEMA_ID = "https://kerbside.example/schemas/profile-1.json";

const closed = { additionalProperties: false } as const;
const NAME = "^[a-z0-9][a-z0-9.-]{0,63}$";
const DBC_NAME = "^[A-Za-z0-9_]{1,128}$";
const QUALIFIED = "^[A-Za-z0-9_]{1,128}\\.[A-Za-z0-9_]{1,128}$";
/** No folders: a profile reads nothing but what lies beside it. */
const FILE_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\\.dbc$";
const LIST_MAX = 256;
const DAY_MS = 86_400_000;

const oneOf = (names: readonly string[], description: string): TSchema =>
  Type.Union(
    names.map((name) => Type.Literal(name)),
    { description },
  );
const ms = (max: number, description: string): TSchema =>
  Type.Integer({ minimum: 1, maximum: max, description });
const positive = (description: string): TSchema =>
  Type.Number({ exclusiveMinimum: 0, description });

const leafValue: TSchema = Type.Union([
  Type.Boolean(),
  Type.Number(),
  Type.String({ maxLength: 64 }),
]);
const mapping: TSchema = Type.Object(
  {
    mapping: Type.Array(
      Type.Object(
        { from: Type.Union([Type.String({ maxLength: 128 }), Type.Number()]), to: leafValue },
        closed,
      ),
      { minItems: 1, maxItems: LIST_MAX, description: "what no row names is unknown" },
    ),
  },
  closed,
);
const math: TSchema = Type.Object(
  { math: Type.String({ maxLength: 1000, description: "over x, the physical value" }) },
  closed,
);
const dbc2vss: TSchema = Type.Object(
  {
    signal: Type.Optional(Type.String({ pattern: QUALIFIED, description: "MESSAGE.Signal" })),
    text: Type.Optional(
      Type.Array(Type.String({ pattern: QUALIFIED }), {
        minItems: 1,
        maxItems: 8,
        description: "signals of ASCII characters, joined",
      }),
    ),
    interval_ms: ms(DAY_MS, "how often the car refreshes it"),
    stale_ms: Type.Optional(ms(DAY_MS, "older values are stale; default 5 × interval_ms")),
    on_change: Type.Optional(Type.Boolean()),
    transform: Type.Optional(Type.Union([mapping, math])),
    unknown: Type.Optional(
      Type.Array(Type.Union([Type.Integer(), Type.String({ maxLength: 128 })]), {
        maxItems: LIST_MAX,
        description: "raw values, or words of the value table, that mean: not available",
      }),
    ),
  },
  closed,
);
/** One pattern for all names: a property for each would say the same dozens of times. */
const SIGNAL_NAMES = `^(?:${Object.keys(SIGNALS).join("|").replaceAll(".", "\\.")})$`;
const signals: TSchema = Type.Record(
  Type.String({ pattern: SIGNAL_NAMES }),
  Type.Object({ dbc2vss }, closed),
  { ...closed, description: "by COVESA VSS 6.0 name" },
);
const e2e: TSchema = Type.Object(
  {
    counter: Type.Optional(
      Type.Object(
        {
          signal: Type.String({ pattern: DBC_NAME }),
          modulus: Type.Integer({ minimum: 2, maximum: 65_536 }),
        },
        closed,
      ),
    ),
    checksum: Type.Optional(
      Type.Object(
        {
          signal: Type.String({ pattern: DBC_NAME, description: "fills one byte of its own" }),
          algorithm: oneOf(CHECKSUMS, "how it is computed"),
          dataId: Type.Integer({ minimum: 0, maximum: 0xffff_ffff }),
        },
        closed,
      ),
    ),
  },
  closed,
);
const messages: TSchema = Type.Record(
  Type.String({ pattern: DBC_NAME }),
  Type.Object(
    { periodMs: Type.Optional(ms(DAY_MS, "expected period")), e2e: Type.Optional(e2e) },
    closed,
  ),
  { ...closed, description: "by message name" },
);
const interlocks: TSchema = Type.Object(
  {
    standstillMs: Type.Integer({ minimum: 2000, maximum: 60_000 }),
    standstillKmhMax: Type.Number({ minimum: 0, maximum: 3 }),
    awakeFreshMs: ms(10_000, "how old a signal may be while the bus is awake"),
    asleepAfterMs: ms(600_000, "no frame for this long: the bus sleeps"),
  },
  closed,
);
const limits: TSchema = Type.Object(
  {
    fuelLowPercent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    chargeLowPercent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    batteryLowV: Type.Optional(positive("12 V battery at rest, V")),
    harshBrakingMps2: Type.Optional(positive("deceleration, m/s²")),
    impactMps2: Type.Optional(positive("acceleration in any direction, m/s²")),
  },
  closed,
);
const obd: TSchema = Type.Object(
  {
    addressing: oneOf(["11bit", "29bit"], "ISO 15765-4 addressing"),
    gapMs: Type.Integer({ minimum: 100, maximum: 60_000 }),
    quietAfterIgnitionMs: Type.Integer({ minimum: 2000, maximum: 600_000 }),
    ask: Type.Array(
      oneOf(["speed", "fuel", "odometer", "vin", "dtc", "rpm", "coolant"], "SAE J1979 services"),
      { minItems: 1, maxItems: 16 },
    ),
  },
  closed,
);
const byteAt = Type.Integer({ minimum: 0, maximum: 7 });
const lockingFrame: TSchema = Type.Object(
  {
    id: Type.Integer({ minimum: 0, maximum: 0x1fff_ffff }),
    ext: Type.Optional(Type.Boolean()),
    data: Type.String({ pattern: "^([0-9a-f]{2}){1,8}$", description: "payload, hexadecimal" }),
    counter: Type.Optional(
      Type.Object(
        {
          byte: byteAt,
          shift: byteAt,
          bits: Type.Integer({ minimum: 1, maximum: 8 }),
        },
        closed,
      ),
    ),
    checksum: Type.Optional(
      Type.Object(
        { byte: byteAt, kind: oneOf(["xor8", "crc8_j1850"], "over all other bytes") },
        closed,
      ),
    ),
    periodMs: Type.Integer({ minimum: 5, maximum: 1000 }),
    repeats: Type.Integer({ minimum: 1, maximum: 20 }),
  },
  closed,
);
const locking: TSchema = Type.Object(
  {
    sensedWithinMs: Type.Integer({ minimum: 100, maximum: 5000 }),
    actions: Type.Object(
      Object.fromEntries(LOCK_ACTIONS.map((action) => [action, Type.Optional(lockingFrame)])),
      closed,
    ),
  },
  closed,
);

export const profileSchema: TSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    format: Type.Literal(1),
    name: Type.String({ pattern: NAME }),
    version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    title: Type.String({ minLength: 1, maxLength: 200 }),
    notes: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: LIST_MAX })),
    powertrain: oneOf(POWERTRAINS, "what drives it"),
    dbc: Type.Array(Type.String({ pattern: FILE_NAME }), {
      maxItems: 16,
      description: "files beside the profile",
    }),
    messages,
    signals,
    capabilities: Type.Object(
      { actions: Type.Array(oneOf(ACTIONS, "an action the car can do"), { uniqueItems: true }) },
      closed,
    ),
    interlocks,
    limits,
    obd: Type.Optional(obd),
    locking: Type.Optional(locking),
  },
  {
    ...closed,
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: PROFILE_SCHEMA_ID,
    title: "Vehicle profile",
    description: "What one car model can do and how its CAN maps to signals.",
  },
);
