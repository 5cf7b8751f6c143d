import { flowProblems, parseFlow } from "@kerbside/flows";
import { ProtocolError, utf8 } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bytesOf, type Document, flowOf } from "./support.ts";

const good = flowOf("good", "return msg;");
const nodes = good["nodes"] as readonly Document[];
const withNode = (node: Document): Document => ({
  ...good,
  nodes: [...nodes, { id: "n", ...node }],
});
const event = { name: "e", title: "", perHourMax: 1, fields: {} };

test("a flow file is read", () => {
  const flow = parseFlow(bytesOf(good));
  assert.is(flow.name, "good");
  assert.equal(flow.signals, ["Vehicle.Speed"]);
  assert.equal(flowProblems(bytesOf(good)), []);
});

/** What is wrong, and the place and reason that must be told. */
const wrong: Readonly<Record<string, readonly [Document, RegExp]>> = {
  "an unknown key": [{ ...good, extra: 1 }, /\/extra|additional/],
  "no name": [{ ...good, name: undefined }, /name/],
  "a name with a path": [{ ...good, name: "../x" }, /\/name/],
  "a version below 1": [{ ...good, version: 0 }, /\/version/],
  "a signal that there is not": [
    { ...good, signals: ["Vehicle.Speed", "Vehicle.Wish"] },
    /\/signals: no signal Vehicle.Wish/,
  ],
  "a node for files": [withNode({ type: "file" }), /\/nodes\/4\/type: a car has no node file/],
  "a node for processes": [withNode({ type: "exec" }), /a car has no node exec/],
  "a node for the network": [withNode({ type: "http request" }), /a car has no node http request/],
  "a subflow that is not there": [
    withNode({ type: "subflow:nowhere" }),
    /a car has no node subflow:nowhere/,
  ],
  "a node twice": [
    withNode({ id: "good.f", type: "comment" }),
    /\/nodes\/4\/id: good.f is there twice/,
  ],
  "a signal that was not asked for": [
    withNode({ type: "kerbside-signal-in", signal: "Vehicle.CurrentLocation.Latitude" }),
    /\/nodes\/4\/signal: not among/,
  ],
  "an event that was not declared": [
    withNode({ type: "kerbside-event-out", event: "x" }),
    /\/nodes\/4\/event: not among/,
  ],
  "modules from outside": [
    withNode({ type: "function", libs: [{ var: "x", module: "left-pad" }] }),
    /\/nodes\/4\/libs/,
  ],
  "an event twice": [
    { ...good, events: [...(good["events"] as Document[]), event, event] },
    /\/events\/2\/name: e is there twice/,
  ],
  "bounds the wrong way round": [
    {
      ...good,
      events: [
        ...(good["events"] as Document[]),
        { ...event, fields: { x: { type: "number", min: 2, max: 1 } } },
      ],
    },
    /\/events\/1\/fields\/x: min is above max/,
  ],
  "free text": [
    {
      ...good,
      events: [...(good["events"] as Document[]), { ...event, fields: { x: { type: "string" } } }],
    },
    /\/events\/1\/fields\/x/,
  ],
};

for (const [name, [document, told]] of Object.entries(wrong)) {
  test(`P-20 refused with its place: ${name}`, () => {
    assert.match(flowProblems(bytesOf(document)).join("\n"), told);
    assert.throws(
      () => parseFlow(bytesOf(document)),
      (error: unknown) => error instanceof ProtocolError,
    );
  });
}

test("bytes that are no flow are refused, not crashed on", () => {
  const cases = [
    "",
    "{",
    "null",
    "[]",
    `{"__proto__":{}}`,
    "[".repeat(200_000),
    `{"a":${"[".repeat(60)}${"]".repeat(60)}}`,
    `"${"x".repeat(300_000)}"`,
  ];
  for (const text of cases) assert.ok(flowProblems(utf8(text)).length > 0, text.slice(0, 20));
  assert.ok(flowProblems(new Uint8Array([0xff, 0xfe])).length > 0);
});

test.run();
