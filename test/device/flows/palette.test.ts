/** The palette's nodes in Node-RED's own test helper. */
import { EventEmitter } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "uvu";
import * as assert from "uvu/assert";

const require = createRequire(import.meta.url);
const PALETTE = new URL("../../../device/flows/palette/", import.meta.url);

type Node = EventEmitter & { receive(msg: object): void };
type Helper = {
  init(runtime: string): void;
  settings(settings: object): void;
  load(nodes: readonly unknown[], flow: readonly object[]): Promise<void>;
  unload(): Promise<void>;
  getNode(id: string): Node;
};
const helper: Helper = require("node-red-node-test-helper");
helper.init(require.resolve("node-red"));

const nodes: readonly unknown[] = ["signal-in", "event-out", "geofence", "trip"].map((name) =>
  require(new URL(`kerbside-${name}.js`, PALETTE).pathname),
);

type Proposal = readonly [node: string, event: string, data: unknown];
type Rig = {
  readonly car: EventEmitter;
  readonly proposals: readonly Proposal[];
  /** What came out of the node `from`, by output. */
  readonly heard: readonly (readonly [output: string, payload: unknown])[];
};

/** Runs one node, its outputs wired to listeners; takes everything down again. */
async function withNode(config: object, body: (rig: Rig, node: Node) => void): Promise<void> {
  const car = new EventEmitter();
  const proposals: Proposal[] = [];
  const propose = (...proposal: Proposal): void => void proposals.push(proposal);
  helper.settings({ kerbside: { car, propose } });
  const node = { id: "n", z: "t", wires: [["first"], ["second"]], ...config };
  const ends = ["first", "second"].map((id) => ({ id, z: "t", type: "helper", wires: [] }));
  await helper.load(nodes, [{ id: "t", type: "tab" }, node, ...ends]);
  const heard: (readonly [string, unknown])[] = [];
  for (const id of ["first", "second"]) {
    helper.getNode(id).on("input", (msg: { payload: unknown }) => heard.push([id, msg.payload]));
  }
  try {
    body({ car, proposals, heard }, helper.getNode("n"));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    await helper.unload();
  }
  assert.is(car.listenerCount("signals") + car.listenerCount("trip"), 0, "it lets go of the car");
}

const signals = (car: EventEmitter, bootMs: number, values: Record<string, unknown>): void =>
  void car.emit("signals", { bootMs, values });

test("signal in: the values of its signal, changes only where asked", async () => {
  for (const [changes, expected] of [
    [true, [1, 2]],
    [false, [1, 1, 2]],
  ] as const) {
    let heard: Rig["heard"] = [];
    const config = { type: "kerbside-signal-in", signal: "Vehicle.Speed", changes };
    await withNode(config, (rig) => {
      for (const value of [1, 1, 2]) signals(rig.car, 0, { "Vehicle.Speed": value });
      signals(rig.car, 0, { "Vehicle.Other": 9 });
      heard = rig.heard;
    });
    assert.equal(
      heard,
      expected.map((value) => ["first", value]),
    );
  }
});

test("event out: proposes what it gets, under its own id", async () => {
  await withNode({ type: "kerbside-event-out", event: "too.fast" }, ({ proposals }, node) => {
    node.receive({ payload: { speedKmh: 180 } });
    assert.equal(proposals, [["n", "too.fast", { speedKmh: 180 }]]);
  });
});

const SQUARE = "[[52,13],[53,13],[53,14],[52,14]]";
const at = (latitude: number, longitude: number): Record<string, number> => ({
  "Vehicle.CurrentLocation.Latitude": latitude,
  "Vehicle.CurrentLocation.Longitude": longitude,
});

test("geofence: tells a crossing after its dwell, never the side it begins on", async () => {
  let heard: Rig["heard"] = [];
  await withNode({ type: "kerbside-geofence", corners: SQUARE, dwellS: 5 }, (rig) => {
    const way: readonly (readonly [number, number])[] = [
      [0, 51.5],
      [1, 52.5],
      [4, 52.5],
      [6, 52.5],
      [7, 51.5],
      [9, 52.5],
      [10, 51.5],
      [15, 51.5],
    ];
    for (const [second, latitude] of way) signals(rig.car, second * 1000, at(latitude, 13.5));
    heard = rig.heard;
  });
  assert.equal(heard, [
    ["first", { inside: true }],
    ["second", { inside: false }],
  ]);
});

test("geofence: latitude and longitude may come apart; a polygon may be no convex one", async () => {
  let heard: Rig["heard"] = [];
  const notch = "[[0,0],[0,4],[4,4],[1,2],[4,0]]";
  await withNode({ type: "kerbside-geofence", corners: notch, dwellS: 0 }, (rig) => {
    signals(rig.car, 0, { "Vehicle.CurrentLocation.Latitude": 3 });
    signals(rig.car, 1, { "Vehicle.CurrentLocation.Longitude": 2 });
    signals(rig.car, 2, { "Vehicle.CurrentLocation.Longitude": 3.8 });
    signals(rig.car, 3, { "Vehicle.CurrentLocation.Longitude": 2 });
    heard = rig.heard;
  });
  assert.equal(heard, [
    ["first", { inside: true }],
    ["second", { inside: false }],
  ]);
});

test("geofence: what is no polygon stays quiet", async () => {
  for (const corners of [
    "",
    "x",
    "[]",
    "[[1,2],[3,4]]",
    "[[91,0],[0,0],[1,1]]",
    "{}",
    "[[1,2,3],[0,0],[1,1]]",
  ]) {
    let heard: Rig["heard"] = [];
    await withNode({ type: "kerbside-geofence", corners, dwellS: 0 }, (rig) => {
      signals(rig.car, 0, at(0, 0));
      signals(rig.car, 1, at(52.5, 13.5));
      heard = rig.heard;
    });
    assert.equal(heard, []);
  }
});

test("trip: began on the first output, ended on the second", async () => {
  let heard: Rig["heard"] = [];
  await withNode({ type: "kerbside-trip" }, (rig) => {
    rig.car.emit("trip", { phase: "started", data: { odometerM: 5 } });
    rig.car.emit("trip", { phase: "ended", data: { distanceM: 7 } });
    heard = rig.heard;
  });
  assert.equal(heard, [
    ["first", { odometerM: 5 }],
    ["second", { distanceM: 7 }],
  ]);
});

test("every node has a template and a help text", () => {
  const names = readdirSync(PALETTE).filter((file) => file.endsWith(".js"));
  assert.is(names.length, 4);
  for (const file of names) {
    const name = file.slice(0, -".js".length);
    const html = readFileSync(new URL(`${name}.html`, PALETTE), "utf8");
    for (const part of [`data-template-name="${name}"`, `data-help-name="${name}"`]) {
      assert.ok(html.includes(part), `${name}: ${part}`);
    }
  }
});

test.run();
