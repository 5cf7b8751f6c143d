/** One line for an event of a car, in the page's language. */
import type { CarEvent } from "../types.ts";
import type { Language, Speech } from "./words.ts";

type Data = CarEvent["data"];
type Line = (data: Data, speech: Speech) => string;
type Lines = Readonly<Record<string, Line>>;

const text = (value: unknown): string =>
  Array.isArray(value) ? value.join(", ") : typeof value === "string" ? value : String(value ?? "");
/** Names of the wire, as one says them. */
const plain = (value: unknown): string => text(value).replaceAll("_", " ");
const number = (value: unknown): number | undefined =>
  typeof value === "number" ? value : undefined;

const DOORS: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  en: {
    driver: "driver's door",
    passenger: "passenger's door",
    rearDriver: "rear door, driver's side",
    rearPassenger: "rear door, passenger's side",
    trunk: "trunk",
    hood: "hood",
  },
  de: {
    driver: "Fahrertür",
    passenger: "Beifahrertür",
    rearDriver: "Hintertür, Fahrerseite",
    rearPassenger: "Hintertür, Beifahrerseite",
    trunk: "Kofferraum",
    hood: "Motorhaube",
  },
};
export const doorName = (door: string, { language }: Speech): string =>
  DOORS[language][door] ?? door;

const IGNITION: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  en: { LOCK: "off, locked", OFF: "off", ACC: "accessories", ON: "on", START: "starting" },
  de: { LOCK: "aus, gesperrt", OFF: "aus", ACC: "Zubehör", ON: "an", START: "startet" },
};
export const ignitionName = (state: string, speech: Speech): string =>
  IGNITION[speech.language][state] ?? speech.say("unknown");

const energy: Line = (d, { measured }) =>
  d["fuelPercent"] === undefined
    ? measured(number(d["chargePercent"]), "%")
    : measured(number(d["fuelPercent"]), "%");
const signalNames = (d: Data): string =>
  Object.keys((d["values"] as object | undefined) ?? {})
    .map((name) => name.split(".").slice(-2).join(" "))
    .join(", ");

const EN: Lines = {
  "agent.started": (d) =>
    d["previousEndedCleanly"] === false ? "Agent started after a crash" : "Agent started",
  "agent.stopping": () => "Agent stopping",
  "lock.changed": (d) => `${d["locked"] === true ? "Locked" : "Unlocked"} (${text(d["cause"])})`,
  "immobiliser.changed": (d) => (d["inhibited"] === true ? "Start inhibited" : "Start allowed"),
  "command.completed": (d) => `Command ${plain(d["action"])}: ${plain(d["status"])}`,
  "fault.raised": (d) => `Fault ${text(d["code"])}`,
  "fault.cleared": (d) => `Fault ${text(d["code"])} is over`,
  "tamper.changed": (d) => `Tamper contact ${d["open"] === true ? "open" : "closed"}`,
  "security.alarm": (d) => `Alarm: ${plain(d["alarm"])}`,
  "rental.started": (d) => `Rental began, by ${text(d["openedBy"])}`,
  "rental.ended": (d) => `Rental ${text(d["how"])}`,
  "access.used": (d) =>
    `A ${text(d["kind"])} was used: ${plain(d["action"])}, ${plain(d["status"])}`,
  "access.refused": (d) => `A ${text(d["kind"])} was refused: ${plain(d["reasons"])}`,
  "grants.applied": (d) => `Grant list ${text(d["version"])} in force`,
  "time.changed": (d) => `Time known by ${text(d["source"])}`,
  "door.changed": (d, s) =>
    `${doorName(text(d["door"]), s)} ${d["open"] === true ? "opened" : "closed"}`,
  "window.changed": (d, s) =>
    `window, ${doorName(text(d["door"]), s)} ${d["open"] === true ? "opened" : "closed"}`,
  "ignition.changed": (d, s) => `Ignition ${ignitionName(plain(d["state"]), s)}`,
  "trip.started": () => "Trip began",
  "trip.ended": (d, s) => `Trip ended after ${s.kilometres(number(d["distanceM"]))}`,
  "energy.changed": (d, s) => `Energy at ${energy(d, s)}`,
  "vehicle.parked": () => "Parked",
  "battery.low": (d, s) => `12 V battery at ${s.measured(number(d["voltageV"]), "V", 1)}`,
  "diagnostic.codes": (d) => `Trouble codes: ${text(d["codes"]) || "none"}`,
  "diagnostic.note": (d) => `Note: ${text(d["note"])}`,
  "power.changed": (d) => `Module: ${plain(d["state"])} (${plain(d["reason"])})`,
  "braking.harsh": (d, s) =>
    `Harsh braking, ${s.measured(number(d["decelerationMps2"]), "m/s²", 1)}`,
  "flow.reported": (d) => `${text(d["flow"])}: ${text(d["event"])}`,
  "signals.changed": (d) => signalNames(d),
};

const DE: Lines = {
  "agent.started": (d) =>
    d["previousEndedCleanly"] === false ? "Agent nach Absturz gestartet" : "Agent gestartet",
  "agent.stopping": () => "Agent endet",
  "lock.changed": (d) =>
    `${d["locked"] === true ? "Verriegelt" : "Entriegelt"} (${text(d["cause"])})`,
  "immobiliser.changed": (d) =>
    d["inhibited"] === true ? "Anlassen gesperrt" : "Anlassen freigegeben",
  "command.completed": (d) => `Befehl ${plain(d["action"])}: ${plain(d["status"])}`,
  "fault.raised": (d) => `Störung ${text(d["code"])}`,
  "fault.cleared": (d) => `Störung ${text(d["code"])} vorbei`,
  "tamper.changed": (d) => `Sabotagekontakt ${d["open"] === true ? "offen" : "geschlossen"}`,
  "security.alarm": (d) => `Alarm: ${plain(d["alarm"])}`,
  "rental.started": (d) => `Miete begann, durch ${text(d["openedBy"])}`,
  "rental.ended": (d) => `Miete ${text(d["how"])}`,
  "access.used": (d) => `${text(d["kind"])} benutzt: ${plain(d["action"])}, ${plain(d["status"])}`,
  "access.refused": (d) => `${text(d["kind"])} abgelehnt: ${plain(d["reasons"])}`,
  "grants.applied": (d) => `Rechteliste ${text(d["version"])} gilt`,
  "time.changed": (d) => `Zeit bekannt durch ${text(d["source"])}`,
  "door.changed": (d, s) => `${doorName(text(d["door"]), s)} ${d["open"] === true ? "auf" : "zu"}`,
  "window.changed": (d, s) =>
    `Fenster, ${doorName(text(d["door"]), s)} ${d["open"] === true ? "auf" : "zu"}`,
  "ignition.changed": (d, s) => `Zündung ${ignitionName(plain(d["state"]), s)}`,
  "trip.started": () => "Fahrt begann",
  "trip.ended": (d, s) => `Fahrt endete nach ${s.kilometres(number(d["distanceM"]))}`,
  "energy.changed": (d, s) => `Energie bei ${energy(d, s)}`,
  "vehicle.parked": () => "Geparkt",
  "battery.low": (d, s) => `12-V-Batterie bei ${s.measured(number(d["voltageV"]), "V", 1)}`,
  "diagnostic.codes": (d) => `Fehlercodes: ${text(d["codes"]) || "keine"}`,
  "diagnostic.note": (d) => `Notiz: ${text(d["note"])}`,
  "power.changed": (d) => `Modul: ${plain(d["state"])} (${plain(d["reason"])})`,
  "braking.harsh": (d, s) =>
    `Hart gebremst, ${s.measured(number(d["decelerationMps2"]), "m/s²", 1)}`,
  "flow.reported": (d) => `${text(d["flow"])}: ${text(d["event"])}`,
  "signals.changed": (d) => signalNames(d),
};

const LINES: Readonly<Record<Language, Lines>> = { en: EN, de: DE };

export function eventWords({ kind, data }: CarEvent, speech: Speech): string {
  const words = LINES[speech.language][kind]?.(data, speech) ?? kind;
  return words.charAt(0).toUpperCase() + words.slice(1);
}
