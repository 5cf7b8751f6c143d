/**
 * Aggregates for analytics (P-43) and the benchmark across tenants (P-15): what may be shown of many people, cars and
 * trips so that nothing is told of one. Pure but for the store that is read; what is read is kept by nobody.
 *
 * Differencing: there is one period only, a calendar month (UTC) that is over, and nothing can be left out of it by the
 * asker, so two answers never differ by a chosen few; counts are rounded down to fives, and sums to two digits, so that
 * a trip that comes in late does not show; and a group that is too small is folded into another, so that it is not
 * what is missing of the whole either.
 */
import { ERRORS, ProtocolError } from "./errors.ts";
import type { CommandRecord, Page, TenantStore, TripRecord } from "./store.ts";

/** P-43: of fewer people, cars or trips than these nothing is told. Counts are rounded to as many. */
export const GROUP_MIN = 5;
/** P-15: nor of fewer tenants. */
export const BENCHMARK_TENANTS_MIN = 5;
/** Whoever has more than this of a sum could be told by it. Within a tenant: a person or car. */
export const SHARE_MAX = 0.5;
export const TENANT_SHARE_MAX = 0.4;
/** Trips, and unlocks, that one answer is made of; beyond it is `limit_reached`. */
export const AGGREGATE_ROWS_MAX = 500_000;
const PAGE = 200;
/** Reasons are codes of ours or names of interlocks. */
const REASON = /^[a-z_]{1,40}$/;

export type Month = { readonly month: string; readonly fromMs: number; readonly toMs: number };

/** `toMs` is its last millisecond. Throws ProtocolError `malformed` where it is no month, or not over yet. */
export function monthOf(text: string, nowMs: number): Month {
  const [, year, number] = /^(20\d\d)-(0[1-9]|1[0-2])$/.exec(text) ?? [];
  const fromMs = Date.UTC(Number(year), Number(number) - 1, 1);
  const toMs = Date.UTC(Number(year), Number(number), 1) - 1;
  if (!(toMs < nowMs))
    throw new ProtocolError("malformed", "month: expected one that is over, like 2026-10");
  return { month: text, fromMs, toMs };
}

/** How much is of whom. */
type Group = {
  count: number;
  sum: number;
  readonly vehicles: Map<string, number>;
  readonly people: Map<string, number>;
};
const group = (): Group => ({ count: 0, sum: 0, vehicles: new Map(), people: new Map() });

function add(to: Group, vehicle: string, person: string, amount: number): void {
  to.count += 1;
  to.sum += amount;
  to.vehicles.set(vehicle, (to.vehicles.get(vehicle) ?? 0) + amount);
  // Who is not known, or was erased, does not make a group larger.
  if (person !== "") to.people.set(person, (to.people.get(person) ?? 0) + amount);
}

function merged(groups: readonly Group[]): Group {
  const all = group();
  for (const { count, sum, vehicles, people } of groups) {
    all.count += count;
    all.sum += sum;
    for (const [name, amount] of vehicles)
      all.vehicles.set(name, (all.vehicles.get(name) ?? 0) + amount);
    for (const [name, amount] of people) all.people.set(name, (all.people.get(name) ?? 0) + amount);
  }
  return all;
}

const isLarge = ({ count, vehicles, people }: Group): boolean =>
  Math.min(count, vehicles.size, people.size) >= GROUP_MIN;
const isShared = ({ sum, vehicles, people }: Group): boolean =>
  [...vehicles.values(), ...people.values()].every((amount) => amount <= sum * SHARE_MAX);

/** What was read of one tenant. Names people: never to be kept, logged or answered. */
export type Gathered = {
  readonly trips: Group;
  readonly distances: Group;
  readonly unlocks: ReadonlyMap<string, Group>;
};
type Source = Pick<TenantStore, "trips" | "commandsWithin" | "booking">;

/**
 * Reads one month of one tenant. `rest` lets others have their turn between two pages. Throws `limit_reached`.
 */
export async function gather(
  store: Source,
  { fromMs, toMs }: Month,
  rest: () => Promise<unknown>,
): Promise<Gathered> {
  const trips = group();
  const distances = group();
  const unlocks = new Map<string, Group>();
  const holders = new Map<string, string>();
  const holderOf = async (booking: string | undefined): Promise<string> => {
    if (booking === undefined) return "";
    const known = holders.get(booking) ?? (await store.booking(booking))?.holder ?? "";
    holders.set(booking, known);
    return known;
  };
  const period = { fromMs, toMs, limit: PAGE };
  const eachTrip = async ({ vehicle, began, ended }: TripRecord): Promise<void> => {
    const holder = await holderOf(ended?.booking ?? began?.booking);
    add(trips, vehicle, holder, 1);
    const { distanceM } = ended ?? {};
    if (distanceM !== undefined) add(distances, vehicle, holder, distanceM);
  };
  await each((after) => store.trips({ ...period, ...after }), eachTrip, rest);
  const eachCommand = async (command: CommandRecord): Promise<void> => {
    if (command.action !== "unlock" && command.action !== "unlock_and_release") return;
    const end = endOf(command);
    const of = unlocks.get(end) ?? group();
    unlocks.set(end, of);
    add(of, command.vehicle, await holderOf(command.booking), 1);
  };
  await each((after) => store.commandsWithin({ ...period, ...after }), eachCommand, rest);
  return { trips, distances, unlocks };
}

async function each<T>(
  read: (after: { readonly after?: string }) => Promise<Page<T>>,
  take: (item: T) => Promise<void>,
  rest: () => Promise<unknown>,
): Promise<void> {
  let after: { readonly after?: string } = {};
  for (let count = 0; count < AGGREGATE_ROWS_MAX; count += PAGE) {
    const { items, next } = await read(after);
    for (const item of items) await take(item);
    if (next === undefined) return;
    after = { after: next };
    await rest();
  }
  throw new ProtocolError("limit_reached", `month: has more than ${AGGREGATE_ROWS_MAX} rows`);
}

const EXECUTED = "executed";
const OTHER = "other";

/** `executed`, or the end and the first reason for it: `refused.doors_open`. */
function endOf({ state, error, result }: CommandRecord): string {
  if (state === EXECUTED) return state;
  const said = result?.unmet[0]?.condition ?? error;
  if (said === undefined) return state;
  return `${state}.${Object.hasOwn(ERRORS, said) || REASON.test(said) ? said : OTHER}`;
}

/** What may be shown. What is missing is too little, or too much of one. */
export type Aggregates = {
  readonly month: string;
  readonly trips?: number;
  readonly distanceM?: number;
  readonly unlocks?: readonly { readonly outcome: string; readonly count: number }[];
};

/** Pure. */
export function aggregatesOf(month: string, { trips, distances, unlocks }: Gathered): Aggregates {
  const ends = shownEnds(unlocks);
  return {
    month,
    ...(isLarge(trips) ? { trips: rounded(trips.count) } : {}),
    ...(isLarge(distances) && isShared(distances) ? { distanceM: twoDigits(distances.sum) } : {}),
    ...(ends.length === 0
      ? {}
      : { unlocks: ends.map(([outcome, { count }]) => ({ outcome, count: rounded(count) })) }),
  };
}

/** Each large enough; those that are not together, with as many of the smallest others as that takes. */
function shownEnds(
  unlocks: ReadonlyMap<string, Group>,
): readonly (readonly [outcome: string, of: Group])[] {
  const all = [...unlocks].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1));
  const shown = all.filter(([, of]) => isLarge(of));
  const hidden = all.filter(([, of]) => !isLarge(of)).map(([, of]) => of);
  if (hidden.length === 0) return shown;
  while (!isLarge(merged(hidden))) {
    const smallest = shown.pop();
    if (smallest === undefined) return [];
    hidden.push(smallest[1]);
  }
  return [...shown, [OTHER, merged(hidden)]];
}

const rounded = (count: number): number => count - (count % GROUP_MIN);
const twoDigits = (value: number): number => Number(value.toPrecision(2));

/** Sums of one tenant, each of a group that might be shown. */
export type Totals = {
  readonly trips: number;
  readonly cars: number;
  readonly distanceM: number;
  /** Of which the distance is known. */
  readonly measured: number;
  readonly unlocks: number;
  readonly executed: number;
};

/** Pure. All that is left of a tenant before the next one is read. */
export function totalsOf({ trips, distances, unlocks }: Gathered): Totals {
  const all = merged([...unlocks.values()]);
  const [t, d, u] = [isLarge(trips), isLarge(distances) && isShared(distances), isLarge(all)];
  return {
    trips: t ? trips.count : 0,
    cars: t ? trips.vehicles.size : 0,
    distanceM: d ? distances.sum : 0,
    measured: d ? distances.count : 0,
    unlocks: u ? all.count : 0,
    executed: u ? (unlocks.get(EXECUTED)?.count ?? 0) : 0,
  };
}

/** A quotient of two sums over tenants; whose they were is not in it. */
type Ratio = { tenants: number; over: number; under: number; overMax: number; underMax: number };
const ratio = (): Ratio => ({ tenants: 0, over: 0, under: 0, overMax: 0, underMax: 0 });

function count(into: Ratio, over: number, under: number): void {
  if (under === 0) return;
  into.tenants += 1;
  into.over += over;
  into.under += under;
  into.overMax = Math.max(into.overMax, over);
  into.underMax = Math.max(into.underMax, under);
}

function quotient({ tenants, over, under, overMax, underMax }: Ratio): number | undefined {
  const isOne = overMax > over * TENANT_SHARE_MAX || underMax > under * TENANT_SHARE_MAX;
  return tenants < BENCHMARK_TENANTS_MIN || isOne ? undefined : twoDigits(over / under);
}

/** Over the tenants of one region. What is missing is of too few, or too much of one. */
export type Benchmark = {
  readonly region: string;
  readonly month: string;
  readonly tripsPerCar?: number;
  readonly metresPerTrip?: number;
  readonly unlockedPercent?: number;
};

/** Takes one tenant after the other, and holds of them nothing but sums and the largest part of each. */
export class BenchmarkSums {
  readonly #trips: Ratio = ratio();
  readonly #metres: Ratio = ratio();
  readonly #unlocks: Ratio = ratio();

  add({ trips, cars, distanceM, measured, unlocks, executed }: Totals): void {
    count(this.#trips, trips, cars);
    count(this.#metres, distanceM, measured);
    count(this.#unlocks, 100 * executed, unlocks);
  }

  shown(region: string, month: string): Benchmark {
    const fields = {
      tripsPerCar: quotient(this.#trips),
      metresPerTrip: quotient(this.#metres),
      unlockedPercent: quotient(this.#unlocks),
    };
    const known = Object.entries(fields).filter(([, value]) => value !== undefined);
    return { region, month, ...Object.fromEntries(known) };
  }
}
