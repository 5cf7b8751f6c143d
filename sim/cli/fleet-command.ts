/** `kerbside-sim fleet`: many light cars in one process, against a cloud that runs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cryptoReady, type TenantId, tenantId } from "@kerbside/protocol";
import { DAYS, type Day } from "../fleet/day.ts";
import type { FleetFigures } from "../fleet/figures.ts";
import { type FleetOptions, runFleet } from "../fleet/fleet.ts";
import { enrolAll, type KnownIdentity, knownIdentities, readTokens } from "../fleet/identities.ts";
import { type Command, type Given, type Io, required, UsageError, wholeNumber } from "./command.ts";

const CARS_MAX = 20_000;
const SECONDS_MAX = 7 * 86_400;
const SEED_MAX = 2 ** 31 - 1;
const HZ_MAX = 20;
const BAR_CELLS = 24;
const silent = (): void => undefined;
const NO_LOG: FleetOptions["log"] = { info: silent, warn: silent, error: silent };

export const fleetCommand: Command = {
  usage: "fleet --cars N --data DIR [options]",
  words: "many light cars: the agent's segments, keys and uplink, without its disk and its bus",
  positionals: 0,
  options: {
    cars: { value: "N", words: `how many, at most ${CARS_MAX}` },
    data: { value: "DIR", words: "where who they are is kept, a folder a car" },
    tenant: { value: "T", words: "the tenant that they join (demo)" },
    url: { value: "URL", words: "of the cloud, to enrol those that have not joined yet" },
    ca: { value: "FILE", words: "the authority to trust for that, PEM" },
    tokens: { value: "FILE", words: "their one-time tokens: what `vehicle enrol --json` printed" },
    broker: { value: "HOST:PORT", words: "instead of the one that enrolment named" },
    seconds: { value: "N", words: "how long (60)" },
    settle: { value: "N", words: "seconds to wait at the end for what is under way (60)" },
    day: { value: "NAME", words: `when they are driven: ${DAYS.join(", ")} (workday)` },
    from: { value: "HH:MM", words: "the time of day at which it begins (08:00)" },
    "day-speed": { value: "X", words: "times real time that its day passes (1)" },
    hz: { value: "X", words: "samples a second of a car that drives (1)" },
    outages: { value: "PART", words: "the part of the time a car is without coverage (0)" },
    "track-s": { value: "N", words: "seconds of samples in a segment (10)" },
    every: { value: "N", words: "seconds between two reports (5)" },
    seed: { value: "N", words: "of all chance (1)" },
  },
  run: async (given, io) => {
    const options = optionsFrom(given);
    await cryptoReady();
    const identities = await identitiesOf(given, io);
    const [first] = identities;
    if (first === undefined) throw new Error("no car has joined: give --url, --ca and --tokens");
    const broker = brokerFrom(given.options["broker"]) ?? first.broker;
    const { durationMs } = options;
    const figures = await runFleet({
      ...options,
      ...{ identities, broker, clock: io.clock, random: io.random, log: NO_LOG, signal: io.signal },
      onFigures: (now) => tell(now, durationMs, given, io),
    });
    if (io.isTerminal === true && !given.json) io.err("\r\u001b[K");
    io.out(given.json ? `${JSON.stringify({ end: true, ...figures })}\n` : `${endText(figures)}\n`);
    const { cars, eventsLost, eventsWaiting } = figures;
    if (cars < identities.length) io.err(`only ${cars} of ${identities.length} were begun\n`);
    return cars === identities.length && eventsLost === 0 && eventsWaiting === 0 ? 0 : 1;
  },
};

type FromOptions = Omit<
  FleetOptions,
  "identities" | "broker" | "clock" | "random" | "log" | "signal" | "onFigures"
>;

function optionsFrom(given: Given): FromOptions {
  const seconds = (name: string, fallback: number): number =>
    1000 * wholeNumber(given, name, fallback, SECONDS_MAX);
  return {
    seed: wholeNumber(given, "seed", 1, SEED_MAX),
    day: dayFrom(given.options["day"] ?? "workday"),
    dayStartMs: timeFrom(given.options["from"] ?? "08:00"),
    daySpeed: numberFrom(given, "day-speed", 1, 0, 86_400),
    hz: numberFrom(given, "hz", 1, 0.001, HZ_MAX),
    outages: numberFrom(given, "outages", 0, 0, 1),
    trackS: numberFrom(given, "track-s", 10, 1, 3600),
    durationMs: seconds("seconds", 60),
    settleMs: seconds("settle", 60),
    everyMs: Math.max(1000, seconds("every", 5)),
  };
}

function dayFrom(name: string): Day {
  const day = DAYS.find((one) => one === name);
  if (day === undefined) throw new UsageError(`--day ${name}: expected one of ${DAYS.join(", ")}`);
  return day;
}

function timeFrom(text: string): number {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hours === undefined) throw new UsageError(`--from ${text}: expected HH:MM`);
  return (Number(hours) * 60 + Number(minutes)) * 60_000;
}

function numberFrom(
  given: Given,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const text = given.options[name];
  if (text === undefined) return fallback;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`--${name} ${text}: expected a number from ${min} to ${max}`);
  return value;
}

function brokerFrom(text: string | undefined): FleetOptions["broker"] | undefined {
  if (text === undefined) return undefined;
  const [, host, port] = /^([a-z0-9.-]{1,253}):(\d{1,5})$/i.exec(text) ?? [];
  if (host === undefined) throw new UsageError(`--broker ${text}: expected HOST:PORT`);
  return { host, port: Number(port) };
}

/** Enrols those that are missing, where it can. */
async function identitiesOf(given: Given, io: Io): Promise<readonly KnownIdentity[]> {
  const cars = wholeNumber(given, "cars", 0, CARS_MAX);
  if (cars === 0) throw new UsageError("--cars N is needed");
  const dir = join(required(given, "data"), "cars");
  const { url, ca, tokens } = given.options;
  const known = knownIdentities(dir, cars);
  if (known.length < cars && url !== undefined && ca !== undefined && tokens !== undefined) {
    const tenant: TenantId = tenantId(given.options["tenant"] ?? "demo");
    const all = readTokens(tokens);
    await enrolAll({
      ...{ dir, tenant, url, ca: readFileSync(ca, "utf8"), tokens: all, signal: io.signal },
      onEnrolled: (count) => {
        if (io.isTerminal === true) io.err(`\r${bar(count / all.length)} ${count} enrolled`);
      },
    });
    if (io.isTerminal === true) io.err("\r\u001b[K");
  }
  const found = knownIdentities(dir, cars);
  if (found.length < cars)
    io.err(`only ${found.length} of ${cars} cars have joined; they are what drives\n`);
  return found;
}

function bar(part: number): string {
  const full = Math.round(Math.min(1, part) * BAR_CELLS);
  return `[${"#".repeat(full)}${"·".repeat(BAR_CELLS - full)}]`;
}

function tell(now: FleetFigures, durationMs: number, { json }: Given, io: Io): void {
  if (json) {
    io.out(`${JSON.stringify(now)}\n`);
    return;
  }
  const line = lineOf(now);
  if (io.isTerminal !== true) io.out(`${line}\n`);
  else io.err(`\r\u001b[K${bar((now.seconds * 1000) / durationMs)} ${line}`);
}

function lineOf({
  seconds,
  connected,
  cars,
  driving,
  rates,
  delayMs,
  ...now
}: FleetFigures): string {
  return [
    `${Math.round(seconds)} s`,
    `${connected}/${cars} connected, ${driving} drive`,
    `${rates.made} events/s made, ${rates.stored} stored`,
    `${Math.round(rates.bytes / 1000)} kB/s`,
    `delay ${delayMs.p50}/${delayMs.p95} ms`,
    `${now.eventsWaiting} wait, ${now.eventsLost} lost`,
    `${now.rssMb} MB`,
  ].join(" · ");
}

function endText(now: FleetFigures): string {
  const { cars, seconds, eventsMade, eventsStored, segmentsSent, bytesSent, delayMs } = now;
  const each = eventsStored === 0 ? 0 : bytesSent / eventsStored;
  return [
    `${cars} cars for ${Math.round(seconds)} s, ${now.connections} connections`,
    `${eventsMade} events made, ${eventsStored} stored, ${now.eventsWaiting} waiting, ${now.eventsLost} lost, ${now.eventsRefused} not made`,
    `${segmentsSent} segments, ${(bytesSent / 1e6).toFixed(1)} MB, ${each.toFixed(1)} bytes an event`,
    `from event to acknowledgement: half within ${delayMs.p50} ms, 95 % within ${delayMs.p95} ms, 99 % within ${delayMs.p99} ms`,
    `${now.rssMb} MB resident, ${now.cpuPart} of a processor`,
  ].join("\n");
}
