/** What the bus says of itself, as faults that are raised once and cleared when they are over. */
import type { BusEvent, BusState } from "@kerbside/can";
import type { NewEvent } from "@kerbside/protocol";

/** States that are faults. A silent bus is one only while the ignition is on: a parked car's bus sleeps. */
const FAULTS: Readonly<Partial<Record<BusState, string>>> = {
  down: "can.down",
  silent: "can.silent",
  passive: "can.passive",
  busOff: "can.bus_off",
};

/** Turns bus events into fault events. Pure but for the fault it remembers as raised. */
export function busFaults(
  ignitionOn: () => boolean,
  emit: (event: NewEvent) => void,
): (event: BusEvent) => void {
  let raised: string | undefined;
  return (event) => {
    if (event.kind === "lost") {
      emit({ kind: "fault.raised", data: { code: "can.lost", count: event.frames } });
      return;
    }
    const isSleep = event.state === "silent" && !ignitionOn();
    const fault = isSleep ? undefined : FAULTS[event.state];
    if (fault === raised) return;
    if (raised !== undefined) emit({ kind: "fault.cleared", data: { code: raised } });
    if (fault !== undefined)
      emit({ kind: "fault.raised", data: { code: fault, detail: event.reason.slice(0, 200) } });
    raised = fault;
  };
}
