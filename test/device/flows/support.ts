/** Flows to try, and a keeper of them with what it said. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFlows, type FlowFile, type Flows, parseFlow } from "@kerbside/flows";
import { type Clock, type NewEvent, utf8 } from "@kerbside/protocol";
import { silentLog } from "../../support/runtime.ts";

export type Document = Record<string, unknown>;

/** A flow of one function that hears of the speed and may report `said`. */
export function flowOf(name: string, func: string, more: Document = {}): Document {
  return {
    format: 1,
    name,
    version: 1,
    title: "a flow to try",
    signals: ["Vehicle.Speed"],
    events: [
      {
        name: "said",
        title: "what it has to say",
        perHourMax: 100,
        fields: {
          what: { type: "choice", of: ["refused", "got"] },
          value: { type: "number", min: 0, max: 1000 },
        },
      },
    ],
    nodes: [
      { id: `${name}.t`, type: "tab", label: name },
      {
        ...{ id: `${name}.in`, z: `${name}.t`, type: "kerbside-signal-in" },
        ...{ signal: "Vehicle.Speed", changes: true, wires: [[`${name}.f`]] },
      },
      {
        ...{ id: `${name}.f`, z: `${name}.t`, type: "function", outputs: 1, func },
        wires: [[`${name}.out`]],
      },
      { id: `${name}.out`, z: `${name}.t`, type: "kerbside-event-out", event: "said", wires: [] },
    ],
    ...more,
  };
}

export const bytesOf = (document: unknown): Uint8Array => utf8(JSON.stringify(document));
export const parsed = (document: Document): FlowFile => parseFlow(bytesOf(document));

type Rig = {
  readonly flows: Flows;
  readonly events: NewEvent[];
  /** Of faults raised, in order. */
  readonly faults: () => readonly string[];
};

/** Leaves no process and no folder behind, whatever `body` does. */
export async function withFlows(clock: Clock, body: (rig: Rig) => Promise<void>): Promise<void> {
  const mountPoint = mkdtempSync(join(tmpdir(), "kerbside-cage-"));
  const events: NewEvent[] = [];
  const emit = (event: NewEvent): void => void events.push(event);
  const flows = createFlows({ mountPoint, clock, emit, log: silentLog, present: () => undefined });
  const faults = (): readonly string[] =>
    events.flatMap((event) =>
      event.kind === "fault.raised" ? [`${event.data.code} ${event.data.detail ?? ""}`] : [],
    );
  try {
    await body({ flows, events, faults });
  } finally {
    await flows.stop();
    rmSync(mountPoint, { recursive: true });
  }
}
