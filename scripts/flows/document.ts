/** The flow file under work: what it declares is written by hand, its nodes by the editor. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type FlowFile, flowProblems, parseFlow } from "../../device/flows/index.ts";
import { type SignalName, utf8 } from "../../shared/protocol/index.ts";
import { DemoError } from "../demo/processes.ts";

type Node = FlowFile["nodes"][number] & Readonly<Record<string, unknown>>;

export type FlowDocument = {
  /** As it is on the disk now; undefined while it is wrong, which was told. */
  readonly read: () => FlowFile | undefined;
  readonly nodes: () => readonly Node[];
  /** Keeps what was drawn, as the next version. */
  readonly save: (nodes: readonly Node[]) => void;
};

const POSITION: readonly SignalName[] = [
  "Vehicle.CurrentLocation.Latitude",
  "Vehicle.CurrentLocation.Longitude",
];

/** A rule to begin with: faster than 50 km/h. */
const FIRST = {
  format: 1,
  name: "first-rule",
  version: 1,
  title: "A first rule: faster than 50 km/h",
  signals: ["Vehicle.Speed"],
  events: [
    {
      name: "too.fast",
      title: "Faster than this rule likes",
      perHourMax: 30,
      fields: { speedKmh: { type: "number", min: 0, max: 300 } },
    },
  ],
  nodes: [
    { id: "tab", type: "tab", label: "First rule" },
    {
      ...{ id: "speed", z: "tab", type: "kerbside-signal-in", name: "", x: 140, y: 80 },
      ...{ signal: "Vehicle.Speed", changes: true, wires: [["above"]] },
    },
    {
      ...{ id: "above", z: "tab", type: "switch", name: "above 50", x: 320, y: 80 },
      ...{ property: "payload", propertyType: "msg", checkall: "true", repair: false, outputs: 1 },
      rules: [{ t: "gt", v: "50", vt: "num" }],
      wires: [["once"]],
    },
    {
      ...{ id: "once", z: "tab", type: "function", name: "once in 10 s", x: 500, y: 80 },
      func: `const now = msg.bootMs;\nif (now - (context.get("last") ?? -Infinity) < 10000) return undefined;\ncontext.set("last", now);\nreturn { payload: { speedKmh: msg.payload } };`,
      ...{ outputs: 1, libs: [], initialize: "", finalize: "", wires: [["told"]] },
    },
    {
      id: "told",
      z: "tab",
      type: "kerbside-event-out",
      name: "",
      event: "too.fast",
      x: 700,
      y: 80,
      wires: [],
    },
  ],
};

/** Makes the file where it is missing. Throws DemoError where it is there and is no flow file. */
export function openFlowDocument(file: string, told: (words: string) => void): FlowDocument {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(FIRST, undefined, 2)}\n`);
  }
  const begun = flowProblems(readFileSync(file));
  if (begun.length > 0) throw new DemoError(`${file}:\n${begun.join("\n")}`);
  let nodes = parseFlow(readFileSync(file)).nodes as readonly Node[];
  return {
    nodes: () => nodes,
    read: () => {
      const bytes = readFileSync(file);
      const problems = flowProblems(bytes);
      for (const words of problems) told(`${file}: ${words}`);
      return problems.length === 0 ? parseFlow(bytes) : undefined;
    },
    save: (drawn) => {
      nodes = drawn;
      // What was written by hand stays, also where it is wrong at the moment.
      const present = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
      const version = Number(present["version"]) + 1;
      const next = { ...present, version, signals: signalsOf(drawn), nodes: drawn };
      writeFileSync(`${file}.new`, `${JSON.stringify(next, undefined, 2)}\n`);
      renameSync(`${file}.new`, file);
      const problems = flowProblems(utf8(JSON.stringify(next)));
      for (const words of problems) told(`not for a car yet: ${words}`);
      if (problems.length === 0) told(`version ${version} is kept, and fit for a car`);
    },
  };
}

function signalsOf(nodes: readonly Node[]): readonly string[] {
  const asked = nodes.flatMap((node): readonly string[] => {
    if (node.type === "kerbside-signal-in") return [String(node["signal"])];
    return node.type === "kerbside-geofence" ? POSITION : [];
  });
  return [...new Set(asked)];
}
