/** Faults of the buffer itself as events, each code at most once in a while, with how often it happened meanwhile. */
import type { Clock, NewEvent } from "@kerbside/protocol";

/** The same fault is reported again after this long at the earliest, in milliseconds. */
const INTERVAL_MS = 60_000;
const DETAIL_CHARS_MAX = 200;

export type FaultCode = "buffer.storage" | "buffer.full" | "buffer.old" | "buffer.damaged";

export type FaultReports = {
  readonly count: (code: FaultCode, times: number, detail?: string) => void;
  /** What is due to be reported now. */
  readonly take: () => readonly NewEvent[];
};

type Tally = { times: number; detail: string | undefined; reportedAtMs: number | undefined };

export function faultReports(clock: Pick<Clock, "bootMs">): FaultReports {
  const tallies = new Map<FaultCode, Tally>();
  return {
    count: (code, times, detail) => {
      const tally = tallies.get(code) ?? { times: 0, detail, reportedAtMs: undefined };
      tally.times += times;
      tally.detail = detail ?? tally.detail;
      tallies.set(code, tally);
    },
    take: () => {
      const now = clock.bootMs();
      const due = [...tallies].filter(
        ([, { times, reportedAtMs }]) =>
          times > 0 && (reportedAtMs === undefined || now - reportedAtMs >= INTERVAL_MS),
      );
      return due.map(([code, tally]) => {
        const event = faultEvent(code, tally.times, tally.detail);
        tally.times = 0;
        tally.reportedAtMs = now;
        return event;
      });
    },
  };
}

export function faultEvent(
  code: FaultCode | "buffer.set_aside",
  count: number,
  detail?: string,
): NewEvent {
  const words = detail?.slice(0, DETAIL_CHARS_MAX);
  const data = { code, count, ...(words === undefined ? {} : { detail: words }) };
  return { kind: "fault.raised", data };
}
