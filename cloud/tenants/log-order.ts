/**
 * The order of a car's logs. Each opening names the log before it, which no clock can falsify; where that does not
 * decide (a set-aside database, a restored disk) the time of the first event does.
 */

export type LogNode = {
  readonly id: number;
  /** Hexadecimal. */
  readonly log: string;
  readonly previous: string | undefined;
  /** Unix time of its first event by the car's clock; undefined while it has none. */
  readonly firstAtMs: number | undefined;
};

type Rank = { readonly startMs: number; readonly depth: number };

/**
 * Sorts by start. A log never comes before the one it names as its predecessor, so a boot whose clock stood at 1970
 * keeps its place. The order depends on the set of logs alone, not on how they arrived. Pure.
 */
export function orderLogs<N extends LogNode>(logs: readonly N[]): readonly N[] {
  const byLog = new Map(logs.map((node) => [node.log, node]));
  const ranks = new Map<string, Rank>();
  // In a fixed order, so that a cycle is cut at the same place each time.
  const fixed = [...logs].sort((a, b) => (a.log < b.log ? -1 : 1));
  for (const node of fixed) rankChain(node, byLog, ranks);
  return fixed.sort((a, b) => {
    const left = ranks.get(a.log) ?? ROOT;
    const right = ranks.get(b.log) ?? ROOT;
    return left.startMs - right.startMs || left.depth - right.depth || (a.log < b.log ? -1 : 1);
  });
}

const ROOT: Rank = { startMs: 0, depth: 0 };

/** Ranks a log and all before it that have no rank yet; a cycle, which only a hostile car makes, is cut. */
function rankChain(
  node: LogNode,
  byLog: ReadonlyMap<string, LogNode>,
  ranks: Map<string, Rank>,
): void {
  const chain: LogNode[] = [];
  const seen = new Set<string>();
  let at: LogNode | undefined = node;
  while (at !== undefined && !ranks.has(at.log) && !seen.has(at.log)) {
    seen.add(at.log);
    chain.push(at);
    at = at.previous === undefined ? undefined : byLog.get(at.previous);
  }
  for (const link of chain.reverse()) {
    const before = link.previous === undefined ? undefined : ranks.get(link.previous);
    ranks.set(link.log, {
      startMs: Math.max(link.firstAtMs ?? 0, before?.startMs ?? 0),
      depth: (before?.depth ?? -1) + 1,
    });
  }
}
