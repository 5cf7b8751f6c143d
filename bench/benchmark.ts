/** What a benchmark is, and how two sides are measured so that the machine's moods fall on both. */

export type Goal = {
  /** `ratio` is ours over the peer's. */
  readonly of: "ratio" | "ours";
  readonly atLeast?: number;
  readonly atMost?: number;
};

export type Side = { readonly name: string; readonly values: readonly number[] };

/** One comparison. `peer` null: there is nothing to hold it against but the goal. */
export type Row = {
  readonly what: string;
  readonly unit: string;
  readonly ours: Side;
  readonly peer: Side | null;
  readonly goal: Goal | null;
};

export type BenchmarkOptions = {
  /** Copies of peers that are no packages of ours, by name: `--peer cantools=/path`. */
  readonly peers: ReadonlyMap<string, string>;
  /** How many events a store is filled with, where a benchmark asks: `--events 100000000`. */
  readonly events?: number;
};

export type Benchmark = {
  readonly name: string;
  readonly why: string;
  /** Yields each row when it is measured. */
  readonly run: (options: BenchmarkOptions) => AsyncGenerator<Row, void, undefined>;
};

const ROUNDS = 7;
const WARM_UP_ROUNDS = 2;
const ROUND_MS = 200;

/** Does a piece of work and returns how many units of it were done. */
export type Work = () => number | Promise<number>;

/** How many rounds are counted, and how long each side's part of one is. */
export type Rounds = { readonly count: number; readonly forMs: number };
const USUAL_ROUNDS: Rounds = { count: ROUNDS, forMs: ROUND_MS };

/** Units a second of each side, in rounds that take turns; the first rounds warm up and are dropped. */
export async function takeTurns(
  ours: Work,
  peer: Work,
  { count, forMs }: Rounds = USUAL_ROUNDS,
): Promise<{ ours: number[]; peer: number[] }> {
  const found = { ours: [] as number[], peer: [] as number[] };
  for (let round = -WARM_UP_ROUNDS; round < count; round++) {
    const a = await rateOf(ours, forMs);
    const b = await rateOf(peer, forMs);
    if (round < 0) continue;
    found.ours.push(a);
    found.peer.push(b);
  }
  return found;
}

export async function rateOf(work: Work, forMs: number = ROUND_MS): Promise<number> {
  let done = 0;
  const started = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < forMs) {
    done += await work();
    elapsedMs = performance.now() - started;
  }
  return (done * 1000) / elapsedMs;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Half of the values lie within this of each other, around the median: robust against one bad round. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN;
  return at(0.75) - at(0.25);
}

export function ratioOf(row: Row): number | null {
  return row.peer === null ? null : median(row.ours.values) / median(row.peer.values);
}

/** Null without a goal. */
export function goalHeld(row: Row): boolean | null {
  if (row.goal === null) return null;
  const value = row.goal.of === "ratio" ? ratioOf(row) : median(row.ours.values);
  if (value === null) return null;
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = row.goal;
  return value >= atLeast && value <= atMost;
}
