/**
 * The agent's configuration, validated once, at the door: unknown keys are refused, defaults are explicit, everything
 * else receives values. Relative paths are relative to the configuration file.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type TenantId, tenantId, type VehicleId, vehicleId } from "@kerbside/protocol";
import Type, { type Static } from "typebox";
import { Check, Errors } from "typebox/value";
import { NTP_FILE } from "./ntp-watch.ts";

const path = (what: string): Type.TString =>
  Type.String({ minLength: 1, maxLength: 4096, description: what });
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const seconds = (what: string): Type.TInteger =>
  Type.Integer({ minimum: 1, maximum: 7 * 86_400, description: what });
const volts = (what: string): Type.TNumber =>
  Type.Number({ minimum: 5, maximum: 60, description: what });

const laneBudget = Type.Object(
  {
    bytesPerS: Type.Optional(Type.Integer({ minimum: 100, maximum: 1e9 })),
    dailyBytes: Type.Optional(Type.Integer({ minimum: 10_000, maximum: 1e12 })),
  },
  { additionalProperties: false },
);

const bus = Type.Union([
  Type.Object(
    { driver: Type.Literal("socket"), path: path("Unix socket of a simulated bus") },
    { additionalProperties: false },
  ),
  Type.Object(
    { driver: Type.Literal("socketcan"), interface: Type.String({ pattern: "^[a-z0-9]{1,15}$" }) },
    { additionalProperties: false },
  ),
]);

export const configSchema = Type.Object(
  {
    tenant: Type.String({ description: "the operator this car belongs to" }),
    vehicle: Type.String({ description: "this car's pseudonym" }),
    dataDir: path("where the agent keeps its keys, its buffer and its record of commands"),
    profile: path("name of a shipped vehicle profile, or a file"),
    enrolment: Type.Object(
      {
        url: Type.String({ pattern: "^https://", description: "the cloud" }),
        caFile: path("PEM, the authority to trust for the first contact"),
        tokenFile: path("the one-time token; not needed once the car is enrolled"),
      },
      { additionalProperties: false },
    ),
    broker: Type.Optional(
      Type.Object(
        { host: Type.String({ minLength: 1, maxLength: 253 }), port },
        { additionalProperties: false, description: "where enrolment says nothing better" },
      ),
    ),
    bus,
    gnss: Type.Optional(
      Type.Object(
        {
          path: path("tty of a receiver that speaks NMEA 0183, where the bus tells no position"),
          baudRate: Type.Integer({ minimum: 1200, maximum: 2_000_000 }),
        },
        { additionalProperties: false },
      ),
    ),
    lock: Type.Union([
      Type.Object(
        {
          driver: Type.Literal("can", {
            description: "the body computer, by the profile's locking",
          }),
        },
        { additionalProperties: false },
      ),
      Type.Object(
        {
          driver: Type.Literal("link"),
          path: path("tty of the lock controller, or a Unix socket"),
          baudRate: Type.Integer({ minimum: 1200, maximum: 2_000_000, default: 115_200 }),
          pairingKeyFile: path("32 bytes, hexadecimal, as written into the controller"),
        },
        { additionalProperties: false },
      ),
    ]),
    reader: Type.Optional(
      Type.Object(
        {
          path: path("tty of the card and phone reader, or a Unix socket"),
          baudRate: Type.Integer({ minimum: 1200, maximum: 2_000_000, default: 115_200 }),
          pairingKeyFile: path("32 bytes, hexadecimal, as written into the reader"),
        },
        { additionalProperties: false },
      ),
    ),
    modem: Type.Optional(
      Type.Object(
        {
          path: path("tty on which the modem says that a message came, or a Unix socket"),
          baudRate: Type.Integer({ minimum: 1200, maximum: 2_000_000, default: 115_200 }),
        },
        { additionalProperties: false, description: "wakes a sleeping car" },
      ),
    ),
    power: Type.Optional(
      Type.Object(
        {
          parkedS: Type.Optional(seconds("a parked car that nobody needs sleeps after this")),
          wokenS: Type.Optional(seconds("a woken car stays awake this long")),
          rentalSoonS: Type.Optional(seconds("a booking this near keeps the car reachable")),
          lowV: Type.Optional(volts("at rest below this it sleeps, unless it is needed soon")),
          criticalV: Type.Optional(volts("below this it sleeps whatever is booked")),
          stateFile: Type.Optional(path("where the platform is told what may be switched off")),
        },
        {
          additionalProperties: false,
          description: "12 V care, where the profile knows no better",
        },
      ),
    ),
    budget: Type.Optional(
      Type.Object(
        { state: Type.Optional(laneBudget), track: Type.Optional(laneBudget) },
        {
          additionalProperties: false,
          description: "what sending may cost by lane; critical has no budget and never waits",
        },
      ),
    ),
    ntpFile: Type.Optional(path("touched by the platform when a time server has set its clock")),
    trackWindowMs: Type.Integer({ minimum: 250, maximum: 5000, default: 1000 }),
  },
  { additionalProperties: false },
);
type Raw = Static<typeof configSchema>;
export type AgentConfig = Omit<Raw, "tenant" | "vehicle"> & {
  readonly tenant: TenantId;
  readonly vehicle: VehicleId;
};

/** Wrong configuration, in words that name the file, the key and what was expected. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const DEFAULTS = { trackWindowMs: 1000, ntpFile: NTP_FILE };
const LOCK_DEFAULTS = { driver: "link", baudRate: 115_200 };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads and validates a configuration file. Throws ConfigError. */
export function readConfig(file: string): AgentConfig {
  const raw = parse(file);
  if (!isRecord(raw)) throw new ConfigError(`${file}: expected a JSON object`);
  const given = raw["lock"];
  const byLink = isRecord(given) && (given["driver"] ?? "link") === "link";
  const lock = byLink ? { ...LOCK_DEFAULTS, ...given } : given;
  const lines = Object.fromEntries(
    (["reader", "modem"] as const).flatMap((name) => {
      const line = raw[name];
      return isRecord(line) ? [[name, { baudRate: LOCK_DEFAULTS.baudRate, ...line }]] : [];
    }),
  );
  const filled: unknown = { ...DEFAULTS, ...raw, lock, ...lines };
  if (!Check(configSchema, filled)) {
    const [first] = Errors(configSchema, filled);
    const where = first?.instancePath === "" ? "" : ` at ${first?.instancePath}`;
    const extra =
      first?.keyword === "additionalProperties" ? `: ${JSON.stringify(first.params)}` : "";
    throw new ConfigError(`${file}${where}: ${first?.message ?? "not valid"}${extra}`);
  }
  const base = dirname(resolve(file));
  const at = (relative: string): string => resolve(base, relative);
  return {
    ...filled,
    tenant: tenantId(filled.tenant),
    vehicle: vehicleId(filled.vehicle),
    dataDir: at(filled.dataDir),
    ...(filled.ntpFile === undefined ? {} : { ntpFile: at(filled.ntpFile) }),
    profile: filled.profile.endsWith(".json") ? at(filled.profile) : filled.profile,
    enrolment: {
      ...filled.enrolment,
      caFile: at(filled.enrolment.caFile),
      tokenFile: at(filled.enrolment.tokenFile),
    },
    bus: filled.bus.driver === "socket" ? { ...filled.bus, path: at(filled.bus.path) } : filled.bus,
    ...(filled.gnss === undefined ? {} : { gnss: { ...filled.gnss, path: at(filled.gnss.path) } }),
    ...(filled.modem === undefined
      ? {}
      : { modem: { ...filled.modem, path: at(filled.modem.path) } }),
    ...(filled.power?.stateFile === undefined
      ? {}
      : { power: { ...filled.power, stateFile: at(filled.power.stateFile) } }),
    ...(filled.reader === undefined
      ? {}
      : {
          reader: {
            ...filled.reader,
            path: at(filled.reader.path),
            pairingKeyFile: at(filled.reader.pairingKeyFile),
          },
        }),
    lock:
      filled.lock.driver === "can"
        ? filled.lock
        : {
            ...filled.lock,
            path: at(filled.lock.path),
            pairingKeyFile: at(filled.lock.pairingKeyFile),
          },
  };
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${file}: expected a readable JSON file (${why})`);
  }
}
