/** Which points of the source a run has reached, by V8's own counts. */
import { type Profiler, Session } from "node:inspector/promises";

type Range = Profiler.CoverageRange;

export type Reach = {
  /** Counts from now on. */
  readonly begin: () => Promise<void>;
  /** The counts since `begin`, by URL of the script. */
  readonly end: () => Promise<ReadonlyMap<string, readonly Range[]>>;
};

export function openReach(): Reach {
  const session = new Session();
  session.connect();
  return {
    begin: async () => {
      await session.post("Profiler.enable");
      await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    },
    end: async () => {
      const { result } = await session.post("Profiler.takePreciseCoverage");
      await session.post("Profiler.stopPreciseCoverage");
      return new Map(
        result.map(({ url, functions }) => [url, functions.flatMap(({ ranges }) => ranges)]),
      );
    },
  };
}

/** Whether the smallest range around a point was entered. */
export function reaches(ranges: readonly Range[], point: number): boolean {
  const sizeOf = ({ startOffset, endOffset }: Range): number => endOffset - startOffset;
  const around = ranges.filter((range) => range.startOffset <= point && point < range.endOffset);
  const least = Math.min(...around.map(sizeOf));
  // A function stands in the list under its own range and, where it was entered, under those of its blocks.
  return around.some((range) => sizeOf(range) === least && range.count > 0);
}
