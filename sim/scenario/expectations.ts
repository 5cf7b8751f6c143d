/** Expectations: looked at until they hold or their time is over; then what was seen instead is the evidence. */
import { isObject } from "../car/fields.ts";
import { type Duration, durationMs } from "./duration.ts";
import { mismatch, shown } from "./match.ts";
import type { Cast, Seen } from "./play.ts";
import type { Expectation } from "./schema.ts";
import type { Json, Stage } from "./stage.ts";

const WITHIN: Duration = "30s";
/** Looked at after this, then ever more seldom, ms of the scenario's time. */
const LOOK_MS_MIN = 250;
const LOOK_MS_MAX = 5000;
/** Of what was seen instead. */
const NEAREST_MAX = 4;

type Look = () => Promise<Seen>;
const yes = (evidence: string): Seen => ({ held: true, evidence });
const no = (evidence: string): Seen => ({ held: false, evidence });

export async function expectation(given: Expectation, stage: Stage, cast: Cast): Promise<Seen> {
  const look = lookOf(given, stage, cast);
  // What must not be is looked for to the end of its time; without one it is looked at once.
  const isAbsence = given.never !== undefined || given.times === 0;
  const deadlineMs = stage.nowMs() + durationMs(given.within ?? (isAbsence ? 0 : WITHIN));
  for (let pauseMs = LOOK_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, LOOK_MS_MAX)) {
    const seen = await look();
    const leftMs = deadlineMs - stage.nowMs();
    if (seen.held !== isAbsence || leftMs <= 0) return seen;
    await stage.pass(Math.min(pauseMs, leftMs));
  }
}

function lookOf(given: Expectation, stage: Stage, cast: Cast): Look {
  const { event, never, car, vehicle, command, booking, grant, has = {}, alarm } = given;
  const of = (known: ReadonlyMap<string, string>, name: string): string =>
    known.get(name) ?? "none";
  if (event !== undefined) return () => lookForEvent(stage, event, given);
  if (never !== undefined) return () => lookForNone(stage, never, given);
  if (car !== undefined) return async () => compare(car, await stage.car());
  const api = (path: string, parts: unknown): Look => {
    return async () => {
      const { status, body } = await stage.ask({ method: "GET", path });
      return status === 200 ? compare(parts, body) : no(`status ${status}: ${shown(body)}`);
    };
  };
  if (vehicle !== undefined) return api(`/vehicles/${stage.vehicle}`, vehicle);
  if (command !== undefined) return api(`/commands/${of(cast.commands, command)}`, has);
  if (booking !== undefined) return api(`/bookings/${of(cast.bookings, booking)}`, has);
  if (grant !== undefined) return () => lookForGrant(stage, of(cast.grants, grant), has);
  if (alarm !== undefined) return async () => among(alarm, await stage.alarms());
  const { quarantined } = given;
  if (quarantined !== undefined) return async () => among(quarantined, await stage.quarantined());
  if (given.delivered === true) return () => lookForDelivery(stage);
  return () => lookForHoles(stage);
}

function compare(expected: unknown, found: Json): Seen {
  const why = mismatch(expected, found);
  return why === undefined ? yes(shown(pick(expected, found))) : no(why);
}

/** Of what was found, what was asked for. */
function pick(expected: unknown, found: unknown): unknown {
  if (!isObject(expected) || !isObject(found)) return found;
  return Object.fromEntries(
    Object.keys(expected).map((name) => [name, pick(expected[name], found[name])]),
  );
}

function among(expected: string, found: readonly string[]): Seen {
  const one = found.find((text) => text.includes(expected));
  return one === undefined ? no(`there are ${shown(found)}`) : yes(one);
}

const placeOf = (event: Json): string =>
  `${String(event["lane"])} ${String(event["seq"])} at ${String(event["at"])}`;

async function lookForEvent(
  stage: Stage,
  kind: string,
  { data = {}, times }: Expectation,
): Promise<Seen> {
  const all = await stage.events();
  const ofKind = all.filter((event) => event["kind"] === kind);
  const found = ofKind.filter((event) => mismatch(data, event["data"]) === undefined);
  const last = found.at(-1);
  if (last !== undefined && (times === undefined || found.length === times))
    return yes(
      `${placeOf(last)}: ${shown(last["data"])}${found.length > 1 ? ` (${found.length} of them)` : ""}`,
    );
  if (times === 0 && last === undefined) return yes("none is there");
  const nearest = ofKind.slice(-NEAREST_MAX).map((event) => shown(event["data"]));
  if (last !== undefined) return no(`there are ${found.length} of them, not ${times}`);
  const kinds = [...new Set(all.map((event) => String(event["kind"] ?? "gap")))].join(", ");
  return no(
    ofKind.length === 0
      ? `no ${kind} is stored; there are ${kinds}`
      : `of ${ofKind.length} ${kind} none fits; the last are ${nearest.join(" ")}`,
  );
}

async function lookForNone(stage: Stage, kind: string, { data = {} }: Expectation): Promise<Seen> {
  const found = (await stage.events()).find(
    (event) => event["kind"] === kind && mismatch(data, event["data"]) === undefined,
  );
  return found === undefined
    ? yes("none is stored")
    : no(`${placeOf(found)}: ${shown(found["data"])}`);
}

async function lookForGrant(stage: Stage, id: string, has: unknown): Promise<Seen> {
  const path = `/vehicles/${stage.vehicle}/grants`;
  const { body } = await stage.ask({ method: "GET", path });
  const items: readonly unknown[] = Array.isArray(body["items"]) ? body["items"] : [];
  const found = items.filter(isObject).find((one) => one["grant"] === id);
  return found === undefined ? no("the car has no such grant") : compare(has, found);
}

async function lookForDelivery(stage: Stage): Promise<Seen> {
  const waiting = await stage.waiting();
  return waiting === 0 ? yes("the car holds nothing back") : no(`${waiting} segments wait`);
}

/** Each lane's numbers from 1 on, each once: an event, or declared as gone. */
async function lookForHoles(stage: Stage): Promise<Seen> {
  const lanes = new Map<string, (readonly [number, number])[]>();
  const all = await stage.events();
  if (all.length === 0) return no("nothing is stored");
  for (const event of all) {
    const id = `${String(event["log"])} ${String(event["lane"])}`;
    const spans = lanes.get(id) ?? [];
    lanes.set(id, spans);
    const { seq, gap } = event;
    if (typeof seq === "number") spans.push([seq, seq]);
    else if (Array.isArray(gap)) spans.push([Number(gap[0]), Number(gap[1])]);
  }
  for (const [id, spans] of lanes) {
    let next = 1;
    for (const [from, to] of spans.sort((a, b) => a[0] - b[0])) {
      if (from !== next) return no(`${id}: expected number ${next}, found ${from}`);
      next = to + 1;
    }
  }
  const gaps = all.filter((event) => event["gap"] !== undefined).length;
  return yes(`${all.length - gaps} events in ${lanes.size} lanes, ${gaps} declared gaps`);
}
