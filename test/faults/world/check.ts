/** What must hold when a world has come to rest, whatever befell it. */
import { COMMIT_WITHIN_MS, type DeclaredGap, type StoredEvent, toHex } from "@kerbside/protocol";
import type { Store } from "./cloud.ts";
import type { World } from "./world.ts";

const PAGE = 1000;
const TRACK_WINDOW_MS = 500;

async function readAll(store: Store): Promise<(StoredEvent | DeclaredGap)[]> {
  const all: (StoredEvent | DeclaredGap)[] = [];
  let after: string | undefined;
  do {
    const page = await store.events({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    all.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return all;
}

/** What may be said of a car whose write-ahead log was cut off: what is left is an older state of its disk. */
const OF_AN_OLD_STATE: ReadonlySet<string> = new Set(["chain", "fork", "successors"]);

type Lanes = Map<string, { events: StoredEvent[]; gaps: (readonly [number, number])[] }>;

function byLane(items: readonly (StoredEvent | DeclaredGap)[]): Lanes {
  const lanes: Lanes = new Map();
  for (const item of items) {
    const id = `${item.log}/${item.lane}`;
    const lane = lanes.get(id) ?? { events: [], gaps: [] };
    lanes.set(id, lane);
    if ("gap" in item) lane.gaps.push(item.gap);
    else lane.events.push(item);
  }
  return lanes;
}

function numberOf({ kind, data }: StoredEvent): number | undefined {
  if (kind !== "diagnostic.note" || typeof data !== "object" || data === null) return undefined;
  return "number" in data && typeof data.number === "number" ? data.number : undefined;
}

const placeOf = ({ log, lane, seq }: StoredEvent): string => `${log}/${lane}/${seq}`;

/** Each lane's numbers from 1 on, each once: an event, or declared as gone. */
function contiguity(lanes: Lanes): string[] {
  return [...lanes].flatMap(([id, { events, gaps }]) => {
    const spans = [...events.map(({ seq }) => [seq, seq] as const), ...gaps];
    let next = 1;
    for (const [from, to] of spans.sort((a, b) => a[0] - b[0])) {
      if (from !== next) return [`${id}: expected number ${next}, found ${from}`];
      next = to + 1;
    }
    return [];
  });
}

function presence(world: World, lanes: Lanes): string[] {
  const { told, refused, excuses } = world;
  const problems: string[] = [];
  const found = new Map<number, StoredEvent>();
  for (const { events } of lanes.values()) {
    for (const event of events) {
      const number = numberOf(event);
      if (number === undefined) continue;
      const before = found.get(number);
      // An old disk that comes back may give a segment with the same numbers another end: both are kept, as a fork.
      // So may one whose write-ahead log was cut off: it is an older state too.
      const old = world.snapshot !== undefined || excuses.damaged.has(number);
      const twin = old || world.clone !== undefined;
      const fork = twin && before !== undefined && placeOf(before) === placeOf(event);
      if (before !== undefined && !fork) problems.push(`event ${number} is stored twice`);
      found.set(number, event);
      if (refused.get(number) === "limit_reached")
        problems.push(`event ${number} was refused and is stored`);
    }
  }
  for (const [number, place] of told) {
    const where = `${place.log}/${place.lane}`;
    const event = found.get(number);
    if (event !== undefined) {
      const same = placeOf(event) === `${where}/${place.seq}`;
      if (!same) problems.push(`event ${number} is stored at another place than was said`);
      continue;
    }
    if (excuses.restored.has(number)) continue;
    const gaps = lanes.get(where)?.gaps ?? [];
    const declared = gaps.some(([from, to]) => place.seq >= from && place.seq <= to);
    const mayBeGone = excuses.full || excuses.damaged.has(number);
    if (declared && mayBeGone) continue;
    if (excuses.damaged.has(number)) continue;
    const how = declared ? "is declared as gone without a reason" : "is lost";
    problems.push(`event ${number} (${where}/${place.seq}) ${how}`);
  }
  return problems;
}

function promises({ told, excuses, clone }: World): string[] {
  const within = { ...COMMIT_WITHIN_MS, track: { min: 0, max: TRACK_WINDOW_MS } };
  const places = new Set([...told.values()].map(({ log, lane, seq }) => `${log}/${lane}/${seq}`));
  const problems = [...told].flatMap(([number, { lane, tookMs, calm }]) =>
    calm && tookMs > within[lane].max
      ? [`event ${number} of ${lane} was confirmed after ${tookMs} ms`]
      : [],
  );
  // A clone wraps what was open when it was copied under a number that the car may still give another end.
  if (places.size < told.size && excuses.restored.size === 0 && clone === undefined)
    problems.push("a number was given out twice");
  return problems;
}

/** A log says truly whether the one before it ended in order. */
function openings({ car, openings: seen }: World): string[] {
  return [...car.expected].flatMap(([log, expected]) => {
    const opening = seen.get(log);
    if (opening?.previousLog === undefined || opening.previousEndedCleanly === expected) return [];
    return [`log ${log} says of the one before that it ended in order: ${!expected}`];
  });
}

/** Each database that was set aside is told of once. One place with two ends, after a log was cut off, is one telling. */
function asides({ car, excuses }: World, lanes: Lanes): string[] {
  const { disk, options } = car;
  const all = [...lanes.values()].flatMap(({ events }) => events);
  const places = new Map(all.map((event) => [placeOf(event), event]));
  const told = [...places.values()].flatMap(setAsideOf);
  const folders = disk.names(options.home).filter((name) => name.startsWith("set-aside-"));
  return folders.flatMap((folder) => {
    const holds = disk.names(`${options.home}/${folder}`).some((name) => name.startsWith("agent."));
    const times = told.filter((words) => words.split(":")[0] === folder).length;
    // What told of it may itself have been spoilt.
    const least = holds && excuses.spoils < 2 ? 1 : 0;
    return times >= least && times <= 1 ? [] : [`${folder} is told of ${times} times`];
  });
}

function setAsideOf({ kind, data }: StoredEvent): string[] {
  const is = kind === "fault.raised" && typeof data === "object" && data !== null;
  if (!is || !("code" in data) || data.code !== "buffer.set_aside") return [];
  return "detail" in data && typeof data.detail === "string" ? [data.detail] : [""];
}

/** Whether two events are stored at one place. */
function shared(lanes: Lanes): boolean {
  return [...lanes.values()].some(
    ({ events }) => new Set(events.map(({ seq }) => seq)).size < events.length,
  );
}

/** Whether two logs were opened that follow the same one. One in which nothing happened is never sent. */
function parted({ openings: seen, clone }: World): boolean {
  if (clone === undefined) return false;
  const followed = [...seen.values()].flatMap(({ previousLog }) =>
    previousLog === undefined ? [] : toHex(previousLog),
  );
  return new Set(followed).size < followed.length;
}

export async function problemsOf(world: World): Promise<string[]> {
  const { store } = world.cloud;
  const { restored, damaged } = world.excuses;
  const lanes = byLane(await readAll(store));
  const problems = [...world.witness.problems, ...presence(world, lanes), ...promises(world)];
  problems.push(...openings(world));
  const old = world.snapshot !== undefined || restored.size > 0 || world.clone !== undefined;
  if (!old && damaged.size === 0) problems.push(...contiguity(lanes));
  if (!old && !world.excuses.full) problems.push(...asides(world, lanes));
  if (!old) {
    for (const { kind, detail } of store.alarms(0, PAGE))
      if (damaged.size === 0 || !OF_AN_OLD_STATE.has(kind))
        problems.push(`alarm ${kind}: ${detail}`);
  }
  if (parted(world) && store.alarms(0, 1).length === 0)
    problems.push("two logs follow the same one, and nothing says so");
  if (shared(lanes) && store.alarms(0, 1).length === 0)
    problems.push("two events have one place, and nothing says so");
  for (const { reason } of store.quarantined(0, PAGE))
    if (!world.spoilt && damaged.size === 0) problems.push(`quarantined: ${reason}`);
  return problems;
}
