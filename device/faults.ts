/** What the bus says of itself, as faults that are raised once and cleared when they are over. */
import type { BusEvent, BusState } from "@kerbside/can";
import type { Clock, NewEvent } from "@kerbside/protocol";

/** States that are faults. A silent bus is one only while the ignition is on: a parked car's bus sleeps. */
const FAULTS: Readonly<Partial<Record<BusState, string>>> = {
  down: "can.down",
  silent: "can.silent",
  passive: "can.passive",
  busOff: "can.bus_off",
};
/** A bus that was not reached once is a fault only after this: car and agent start together. */
const FIRST_UP_MS_MAX = 10_000;
const DETAIL_CHARS_MAX = 200;

const clip = (reason: string): string => reason.slice(0, DETAIL_CHARS_MAX);

type StateEvent = Extract<BusEvent, { kind: "state" }>;

/** Turns bus events into fault events, and remembers which fault is raised. */
export function busFaults(
  clock: Clock,
  ignitionOn: () => boolean,
  emit: (event: NewEvent) => void,
): (event: BusEvent) => void {
  let raised: string | undefined;
  let waiting: StateEvent | "for_the_first" | undefined = "for_the_first";
  const judge = ({ state, reason }: StateEvent): void => {
    const isSleep = state === "silent" && !ignitionOn();
    const fault = isSleep ? undefined : FAULTS[state];
    if (fault === raised) return;
    if (raised !== undefined) emit({ kind: "fault.cleared", data: { code: raised } });
    if (fault !== undefined) {
      emit({ kind: "fault.raised", data: { code: fault, detail: clip(reason) } });
    }
    raised = fault;
  };
  const late = clock.after(FIRST_UP_MS_MAX, () => {
    const last = waiting;
    waiting = undefined;
    if (typeof last === "object") judge(last);
  });
  return (event) => {
    if (event.kind === "lost") {
      emit({ kind: "fault.raised", data: { code: "can.lost", count: event.frames } });
      return;
    }
    if (event.kind !== "state") {
      emit({ kind: "fault.raised", data: { code: "can.not_sent", detail: clip(event.reason) } });
      return;
    }
    if (waiting !== undefined && event.state !== "up") {
      waiting = event;
      return;
    }
    waiting = undefined;
    late.cancel();
    judge(event);
  };
}
