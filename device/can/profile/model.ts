/**
 * What a profile says: one car model, what it can do, and how its CAN maps to signals. The JSON Schema of it is
 * made from `schema.ts`; these types are what a document that passed it is read as.
 */
import type { Action, LockAction, SignalName, SignalValue } from "@kerbside/protocol";
import type { E2eRule } from "./e2e.ts";

/** From a word of the value table, or a physical value, to a value of the leaf. What no row names is unknown. */
export type MappingRow = { readonly from: string | number; readonly to: SignalValue };

/** kuksa's transforms: a table, or arithmetic over `x`, the physical value. Neither: the value as it is. */
export type Transform =
  | { readonly mapping: readonly MappingRow[]; readonly math?: never }
  | { readonly math: string; readonly mapping?: never };

/**
 * How a leaf hangs on the bus, in the manner of kuksa's `dbc2vss`, with `MESSAGE.Signal` for names because the
 * same signal name occurs in several messages of one car.
 */
export type Dbc2Vss = {
  /** `MESSAGE.Signal`. */
  readonly signal?: string;
  /** Instead: signals of up to 8 ASCII characters each (first character highest), joined; blanks at the end go. */
  readonly text?: readonly string[];
  /** How often the car refreshes it. The value is stale after `stale_ms`, by default 5 of these, 250 ms at least. */
  readonly interval_ms: number;
  readonly stale_ms?: number;
  /** kuksa's: whether a new value counts only if it differs. Schemes decide what is collected. */
  readonly on_change?: boolean;
  readonly transform?: Transform;
  /** Raw values, or words of the value table, that mean "not available". */
  readonly unknown?: readonly (number | string)[];
};

export type ProfileSignal = { readonly dbc2vss: Dbc2Vss };

export type ProfileMessage = {
  readonly periodMs?: number;
  readonly e2e?: E2eRule;
};

/** What the interlocks of lock and immobiliser ask of this car's signals. */
export type InterlockParameters = {
  /** Speed must have been at rest this long before the start may be inhibited. */
  readonly standstillMs: number;
  /** Speeds up to this are rest: some cars report noise. */
  readonly standstillKmhMax: number;
  /** How old a signal may be while the bus is awake. */
  readonly awakeFreshMs: number;
  /** A bus without frames for this long is asleep: then age alone is no reason to distrust a signal. */
  readonly asleepAfterMs: number;
};

/** What shipped schemes compare with. Cars differ; these are theirs. */
export type Limits = {
  readonly fuelLowPercent?: number;
  readonly chargeLowPercent?: number;
  readonly batteryLowV?: number;
  readonly harshBrakingMps2?: number;
  readonly impactMps2?: number;
};

/**
 * One frame that locks or unlocks where the body computer does it by CAN: all that may ever be sent for it. Counter
 * and checksum are put into `data`, which has zeros there.
 */
export type LockingFrame = {
  readonly id: number;
  readonly ext?: boolean;
  /** Hexadecimal, 1 to 8 bytes. */
  readonly data: string;
  readonly counter?: { readonly byte: number; readonly shift: number; readonly bits: number };
  readonly checksum?: { readonly byte: number; readonly kind: "xor8" | "crc8_j1850" };
  readonly periodMs: number;
  readonly repeats: number;
};
/** Locking by CAN, for cars without a lock controller of ours. */
export type LockingRule = {
  /** By when the car's own signals show what came of it. */
  readonly sensedWithinMs: number;
  readonly actions: Readonly<Partial<Record<LockAction, LockingFrame>>>;
};

/** OBD-II polling for what the bus does not offer by itself (SAE J1979). Off unless it is there. */
export type ObdRule = {
  readonly addressing: "11bit" | "29bit";
  /** Between the end of one request and the next. */
  readonly gapMs: number;
  /** None in the first moments after the ignition is on. */
  readonly quietAfterIgnitionMs: number;
  /** What is asked for, in turn. */
  readonly ask: readonly ("speed" | "fuel" | "odometer" | "vin" | "dtc" | "rpm" | "coolant")[];
};

export const POWERTRAINS = ["combustion", "electric", "hybrid", "unknown"] as const;

export type Profile = {
  readonly $schema?: string;
  readonly format: 1;
  readonly name: string;
  readonly version: number;
  readonly title: string;
  readonly notes?: readonly string[];
  readonly powertrain: (typeof POWERTRAINS)[number];
  /** Files beside the profile. Where two have the same message, the later counts. */
  readonly dbc: readonly string[];
  /** By message name. */
  readonly messages: Readonly<Record<string, ProfileMessage>>;
  readonly signals: Readonly<Partial<Record<SignalName, ProfileSignal>>>;
  readonly capabilities: { readonly actions: readonly Action[] };
  readonly interlocks: InterlockParameters;
  readonly limits: Limits;
  readonly obd?: ObdRule;
  readonly locking?: LockingRule;
};

/** What is wrong in a profile or scheme, with the path to it as a JSON pointer. */
export type ProfileProblem = {
  readonly file: string;
  /** RFC 6901; empty for the document itself. */
  readonly path: string;
  readonly severity: "error" | "warning";
  readonly message: string;
};

export function formatProfileProblem({ file, path, severity, message }: ProfileProblem): string {
  return `${file}${path === "" ? "" : `#${path}`}: ${severity}: ${message}`;
}

/** The document is refused. */
export class ProfileError extends Error {
  override readonly name = "ProfileError";
  readonly problems: readonly ProfileProblem[];

  constructor(problems: readonly ProfileProblem[]) {
    super(problems.map(formatProfileProblem).join("\n"));
    this.problems = problems;
  }
}
