/**
 * The events a car reports. The table says for each kind its number on the wire, its lane, and its data; rows
 * and fields are only ever appended. The class and tag of every field (P-20) decide how it is stored and shown.
 */
import { bookingCodec, random128 } from "./ids.ts";
import type { Lane } from "./lanes.ts";
import {
  bool,
  type Codec,
  choice,
  type FieldMeta,
  field,
  list,
  optional,
  real,
  struct,
  type TypeOf,
  text,
  uint,
} from "./schema.ts";
import { signalValues } from "./signal-values.ts";

const internal = (doc: string, unit?: string): FieldMeta => ({
  class: "Internal",
  doc,
  ...(unit === undefined ? {} : { unit }),
});
const trip = (doc: string, unit?: string): FieldMeta => ({
  ...internal(doc, unit),
  class: "Confidential",
  tag: "SPI",
});
const geo = (doc: string, unit?: string): FieldMeta => ({
  ...internal(doc, unit),
  class: "Confidential",
  tag: "GEO",
});

const DOORS = ["driver", "passenger", "rearDriver", "rearPassenger", "trunk", "hood"] as const;
const POWER = ["UNDEFINED", "LOCK", "OFF", "ACC", "ON", "START"] as const;
/** What is held to the reader. */
const CREDENTIALS = ["card", "phone"] as const;
/** What may open a rental on the car. */
export const RENTAL_OPENERS = ["command", "card", "phone"] as const;
/** How much of a module is awake, from most to least. */
export const POWER_STATES = ["driving", "rental_soon", "parked", "deep_sleep"] as const;

const latitude = field(0, real(-90, 90), geo("WGS 84 latitude", "degrees"));
const longitude = field(1, real(-180, 180), geo("WGS 84 longitude", "degrees"));
const odometerM = optional(8, uint(), trip("odometer", "m"));
const fuelPercent = optional(9, real(0, 100), trip("fuel level", "percent"));
const chargePercent = optional(10, real(0, 100), trip("state of charge", "percent"));
const bookingId = optional(11, bookingCodec, trip("the booking it belongs to"));

/** One of the three is there. Words are those that the flow file lists: free text could name a person. */
const flowValue = struct("a value of an event of a flow", {
  name: field(0, text(32), internal("which one")),
  number: optional(1, real(-1e15, 1e15), geo("a number")),
  flag: optional(2, bool, trip("true or false")),
  word: optional(3, text(64), trip("one of the declared words")),
});

type KindRow = {
  readonly code: number;
  readonly lane: Lane | "any";
  readonly data: Codec<unknown>;
};

export const EVENT_KINDS = {
  // critical
  "agent.started": {
    code: 1,
    lane: "critical",
    data: struct("the agent began a new log", {
      version: field(0, text(32), internal("version of the agent")),
      previousEndedCleanly: field(1, bool, internal("whether the log before was closed in order")),
    }),
  },
  "agent.stopping": {
    code: 2,
    lane: "critical",
    data: struct("the agent ends in order", { reason: field(0, text(32), internal("why")) }),
  },
  "lock.changed": {
    code: 3,
    lane: "critical",
    data: struct("the sensed state of the central lock changed", {
      locked: field(0, bool, trip("all bolts seen locked")),
      cause: field(1, choice(["command", "access", "manual", "unknown"]), trip("what moved it")),
      booking: bookingId,
    }),
  },
  "command.completed": {
    code: 4,
    lane: "critical",
    data: struct("a command was answered", {
      id: field(0, random128, internal("the command")),
      action: field(1, text(32), internal("the action asked for")),
      status: field(2, text(32), internal("the status answered")),
      unmet: field(3, list(text(64), 32), internal("the conditions that were not met")),
      booking: bookingId,
    }),
  },
  "fault.raised": {
    code: 5,
    lane: "critical",
    data: struct("something is wrong in the car or in the agent", {
      code: field(0, text(64), internal("which fault, e.g. can.silent")),
      detail: optional(1, text(200), internal("what was seen; never personal")),
      count: optional(2, uint(), internal("how many times since it was last reported")),
    }),
  },
  "fault.cleared": {
    code: 6,
    lane: "critical",
    data: struct("a fault is over", { code: field(0, text(64), internal("which fault")) }),
  },
  "tamper.changed": {
    code: 7,
    lane: "critical",
    data: struct("the tamper contact changed", { open: field(0, bool, internal("contact open")) }),
  },
  "security.alarm": {
    code: 8,
    lane: "critical",
    data: struct("tow, break-in or another alarm of a scheme", {
      alarm: field(0, choice(["tow", "breakIn", "impact"]), trip("which alarm")),
      values: optional(1, signalValues, geo("signals around it")),
    }),
  },
  "rental.started": {
    code: 9,
    lane: "critical",
    data: struct("the car opened a rental", {
      booking: field(0, bookingCodec, trip("the booking")),
      openedBy: field(1, choice(RENTAL_OPENERS), trip("what opened it")),
    }),
  },
  "rental.ended": {
    code: 10,
    lane: "critical",
    data: struct("the car closed a rental", {
      booking: field(0, bookingCodec, trip("the booking")),
      how: field(1, choice(["ended", "terminated", "unstarted"]), trip("what closed it")),
      unknown: field(2, list(text(64), 32), trip("end conditions that could not be told")),
    }),
  },
  "immobiliser.changed": {
    code: 11,
    lane: "critical",
    data: struct("the sensed state of the immobiliser changed", {
      inhibited: field(0, bool, trip("start inhibited")),
      cause: field(1, choice(["command", "unknown"]), trip("what changed it")),
    }),
  },
  "access.used": {
    code: 12,
    lane: "critical",
    data: struct("a card or phone was let do something", {
      kind: field(0, choice(CREDENTIALS), trip("what it was")),
      credential: field(1, text(64), trip("keyed hash of the card's number, or hash of its key")),
      proof: field(2, choice(["phone", "carried", "key", "uid", "uid_and_pin"]), trip("by what")),
      action: field(3, text(32), trip("what it asked for")),
      grant: field(4, random128, trip("the grant that allowed it")),
      status: field(5, choice(["executed", "refused", "unknown"]), trip("what came of it")),
      unmet: field(6, list(text(64), 32), trip("interlocks that were not met")),
      booking: bookingId,
    }),
  },
  "access.refused": {
    code: 13,
    lane: "critical",
    data: struct("a card or phone was refused", {
      kind: field(0, choice(CREDENTIALS), trip("what it was")),
      credential: optional(1, text(64), trip("as in access.used; missing: not known")),
      action: optional(2, text(32), trip("what it asked for")),
      reasons: field(3, list(text(64), 32), trip("everything that stood against it")),
      booking: bookingId,
    }),
  },
  "grants.applied": {
    code: 14,
    lane: "critical",
    data: struct("a grant list is in force", {
      version: field(0, uint(), internal("its version")),
      grants: field(1, uint(), internal("how many grants it has")),
      durable: field(2, bool, internal("it is on the car's disk")),
    }),
  },
  "time.changed": {
    code: 15,
    lane: "critical",
    data: struct("what is known of the time changed by much", {
      source: field(0, choice(["cloud", "gnss", "ntp"]), internal("by what")),
      wallMs: field(1, uint(), internal("Unix time as it is known now", "ms")),
      doubtMs: field(2, uint(), internal("how far that may be off", "ms")),
    }),
  },
  // state
  "door.changed": {
    code: 20,
    lane: "state",
    data: struct("a door, the trunk or the hood", {
      door: field(0, choice(DOORS), trip("which one")),
      open: field(1, bool, trip("open")),
    }),
  },
  "ignition.changed": {
    code: 21,
    lane: "state",
    data: struct("the state of the low voltage system (VSS Vehicle.LowVoltageSystemState)", {
      state: field(0, choice(POWER), trip("the new state")),
    }),
  },
  "trip.started": {
    code: 22,
    lane: "state",
    data: struct("a trip began", { odometerM, fuelPercent, chargePercent, booking: bookingId }),
  },
  "trip.ended": {
    code: 23,
    lane: "state",
    data: struct("a trip ended", {
      distanceM: field(0, uint(), trip("distance by the odometer", "m")),
      durationS: field(1, uint(), trip("duration", "s")),
      odometerM,
      fuelPercent,
      chargePercent,
      booking: bookingId,
    }),
  },
  "energy.changed": {
    code: 24,
    lane: "state",
    data: struct("fuel or charge", {
      fuelPercent,
      chargePercent,
      charging: optional(0, bool, trip("charging")),
      cableConnected: optional(1, bool, trip("cable plugged in")),
      low: optional(2, bool, trip("below the limit of the profile")),
    }),
  },
  "window.changed": {
    code: 25,
    lane: "state",
    data: struct("a window", {
      door: field(0, choice(DOORS), trip("of which door")),
      open: field(1, bool, trip("open")),
    }),
  },
  "signals.changed": {
    code: 26,
    lane: "state",
    data: struct("signals that a scheme collects on change", {
      scheme: optional(0, text(64), internal("the scheme that asked for it")),
      values: field(1, signalValues, geo("the values; may hold a position")),
    }),
  },
  "vehicle.parked": {
    code: 27,
    lane: "state",
    data: struct("where the car was parked", { latitude, longitude, odometerM }),
  },
  "battery.low": {
    code: 28,
    lane: "state",
    data: struct("12 V battery", { voltageV: field(0, real(0, 60), internal("voltage", "V")) }),
  },
  "diagnostic.codes": {
    code: 29,
    lane: "state",
    data: struct("the list of trouble codes changed", {
      codes: field(0, list(text(16), 64), internal("codes as ISO 15031-6 writes them")),
    }),
  },
  "power.changed": {
    code: 30,
    lane: "state",
    data: struct("how much of the module is awake", {
      state: field(0, choice(POWER_STATES), trip("the new state")),
      reason: field(1, text(32), trip("why")),
      voltageV: optional(2, real(0, 60), internal("12 V battery", "V")),
    }),
  },
  "braking.harsh": {
    code: 31,
    lane: "state",
    data: struct("the car braked harshly", {
      decelerationMps2: field(0, real(0, 100), trip("deceleration when it was told", "m/s2")),
      speedKmh: optional(1, real(0, 400), trip("speed then", "km/h")),
    }),
  },
  "flow.reported": {
    code: 32,
    lane: "state",
    data: struct("an operator's own rule reported something", {
      flow: field(0, text(64), internal("the flow")),
      event: field(1, text(64), internal("which of the events that the flow declares")),
      values: field(2, list(flowValue, 16), geo("its data; may tell where the car was")),
    }),
  },
  // track
  "position.sampled": {
    code: 40,
    lane: "track",
    data: struct("position and motion", {
      latitude,
      longitude,
      headingDeg: optional(2, real(0, 360), geo("course over ground", "degrees")),
      speedKmh: optional(3, real(0, 400), trip("speed", "km/h")),
      accuracyM: optional(4, real(0, 1e6), internal("estimated error", "m")),
      odometerM,
    }),
  },
  "signals.sampled": {
    code: 41,
    lane: "track",
    data: struct("signals that a scheme samples", {
      scheme: optional(0, text(64), internal("the scheme that asked for it")),
      values: field(1, signalValues, geo("the values; may hold a position")),
    }),
  },
  "position.withheld": {
    code: 42,
    lane: "track",
    data: struct("a position that the tenant's privacy mode does not keep", {}),
  },
  // any lane
  "diagnostic.note": {
    code: 60,
    lane: "any",
    data: struct("a numbered test event", {
      note: field(0, text(4096), internal("text given by whoever tests")),
      number: optional(1, uint(), internal("its place in the series")),
    }),
  },
} as const satisfies Record<string, KindRow>;

export type EventKind = keyof typeof EVENT_KINDS;
/** The data of one kind of event. */
export type EventData<K extends EventKind> = TypeOf<(typeof EVENT_KINDS)[K]["data"]>;
