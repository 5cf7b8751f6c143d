// @ts-check
/** What things are called, and how numbers and times are written. */

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const number = (/** @type {number} */ digits) =>
  new Intl.NumberFormat(undefined, {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  });

/** @param {string} iso */
export function clock(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  return today ? time.format(date) : `${day.format(date)}, ${time.format(date)}`;
}

const minutes = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** @param {string} iso */
export const dayAndTime = (iso) => minutes.format(new Date(iso));

/**
 * @param {number | undefined} value
 * @param {string} unit
 * @param {number} [digits]
 */
export const measured = (value, unit, digits = 0) =>
  value === undefined ? "unknown" : `${number(digits).format(value)} ${unit}`;

/** @param {number | undefined} metres */
export const kilometres = (metres) =>
  measured(metres === undefined ? undefined : metres / 1000, "km", 1);

export const IGNITION = /** @type {Record<string, string>} */ ({
  UNDEFINED: "unknown",
  LOCK: "off, locked",
  OFF: "off",
  ACC: "accessories",
  ON: "on",
  START: "starting",
});

export const DOORS = /** @type {Record<string, string>} */ ({
  driver: "driver's door",
  passenger: "passenger's door",
  rearDriver: "rear door, driver's side",
  rearPassenger: "rear door, passenger's side",
  trunk: "trunk",
  hood: "hood",
});

/** How a command's state is shown: a tone, and words for the two actions. */
/** @type {Record<string, { tone: string, title: string, words: (action: string) => string }>} */
export const STATES = {
  accepted: { tone: "busy", title: "Accepted", words: () => "being checked and signed" },
  signed: { tone: "busy", title: "Signed", words: () => "on its way to the car" },
  sent: { tone: "busy", title: "Sent", words: () => "waiting for the car" },
  received: { tone: "busy", title: "Received", words: () => "the car is at it" },
  armed: { tone: "busy", title: "Armed", words: () => "waits on the car until it stands" },
  executed: {
    tone: "good",
    title: "Done",
    words: (action) => `the car was seen to ${action}`,
  },
  refused: { tone: "bad", title: "Refused", words: () => "the car did not do it" },
  expired: { tone: "bad", title: "Too late", words: () => "it reached the car too late; not done" },
  unknown: {
    tone: "doubt",
    title: "Unknown",
    words: () => "nobody knows yet whether it was done; look before you ask again",
  },
  failed: { tone: "bad", title: "Not done", words: () => "it did not reach the car" },
};

/** @param {any} data */
const door = (data) => `${DOORS[data.door] ?? data.door} ${data.open ? "opened" : "closed"}`;

/** One line for an event of a kind. */
/** @type {Record<string, (data: any) => string>} */
const EVENTS = {
  "agent.started": (d) =>
    d.previousEndedCleanly ? "Agent started" : "Agent started after a crash",
  "agent.stopping": () => "Agent stopping",
  "lock.changed": (d) => `${d.locked ? "Locked" : "Unlocked"} (${d.cause})`,
  "command.completed": (d) => `Command ${d.action}: ${d.status}`,
  "fault.raised": (d) => `Fault ${d.code}`,
  "fault.cleared": (d) => `Fault ${d.code} is over`,
  "tamper.changed": (d) => (d.open ? "Tamper contact open" : "Tamper contact closed"),
  "security.alarm": (d) => `Alarm: ${d.alarm}`,
  "door.changed": (d) => door(d),
  "window.changed": (d) => `window, ${door(d)}`,
  "ignition.changed": (d) => `Ignition ${IGNITION[d.state] ?? d.state}`,
  "trip.started": () => "Trip started",
  "trip.ended": (d) => `Trip ended after ${kilometres(d.distanceM)}`,
  "energy.changed": (d) =>
    d.fuelPercent === undefined
      ? `Charge ${measured(d.chargePercent, "%")}`
      : `Fuel ${measured(d.fuelPercent, "%")}`,
  "vehicle.parked": () => "Parked",
  "battery.low": (d) => `12 V battery at ${measured(d.voltageV, "V", 1)}`,
  "diagnostic.codes": (d) => `Trouble codes: ${d.codes.join(", ") || "none"}`,
  "diagnostic.note": (d) => `Note: ${d.note}`,
  "signals.changed": (d) => Object.keys(d.values).map(shortName).join(", "),
  "position.sampled": (d) => `Position, ${measured(d.speedKmh, "km/h")}`,
};

/** @param {string} name */
const shortName = (name) => name.split(".").slice(-2).join(" ");

/**
 * @param {string} kind
 * @param {any} data
 */
export function eventWords(kind, data) {
  const words = EVENTS[kind]?.(data) ?? kind;
  return words.charAt(0).toUpperCase() + words.slice(1);
}
