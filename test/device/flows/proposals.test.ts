import { EVENTS_PER_MINUTE_MAX, type FlowFile, Judge, parseFlow } from "@kerbside/flows";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bytesOf, flowOf } from "./support.ts";

const flow = (perHourMax: number, name = "f"): FlowFile =>
  parseFlow(
    bytesOf(
      flowOf(name, "", {
        events: [
          {
            ...{ name: "said", title: "", perHourMax },
            fields: {
              n: { type: "number", min: -1, max: 1 },
              b: { type: "boolean" },
              w: { type: "choice", of: ["left", "right"] },
            },
          },
        ],
      }),
    ),
  );
const data = { n: 0.5, b: true, w: "left" };

test("what is as declared is an event, its values in the declared order", () => {
  const judge = new Judge([flow(10)], 0);
  const judged = judge.judge("f", "said", { w: "left", b: true, n: 0.5 }, 0);
  assert.equal(judged, {
    taken: true,
    data: {
      flow: "f",
      event: "said",
      values: [
        { name: "n", number: 0.5 },
        { name: "b", flag: true },
        { name: "w", word: "left" },
      ],
    },
  });
});

const wrong: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  null: null,
  "a list": [data],
  "a field missing": { n: 0, b: true },
  "a field too many": { ...data, vin: "x" },
  "a number out of bounds": { ...data, n: 1.01 },
  "not a number": { ...data, n: Number.NaN },
  "a number as text": { ...data, n: "0" },
  "a truth as number": { ...data, b: 1 },
  "a word that is not listed": { ...data, w: "Mr Smith" },
  "an object for a word": { ...data, w: { toString: () => "left" } },
};
for (const [name, proposed] of Object.entries(wrong)) {
  test(`P-20 not as declared: ${name}`, () => {
    const judge = new Judge([flow(10)], 0);
    assert.equal(judge.judge("f", "said", proposed, 0), { taken: false, reason: "wrong_data" });
  });
}

test("an event of nobody, or of another flow, is refused", () => {
  const judge = new Judge([flow(10)], 0);
  for (const [owner, name] of [
    ["f", "other"],
    ["g", "said"],
    [undefined, "said"],
    ["f", 1],
    ["f said", ""],
  ]) {
    assert.equal(judge.judge(owner, name, data, 0), { taken: false, reason: "not_declared" });
  }
});

test("each event has its rate, which comes back evenly", () => {
  const judge = new Judge([flow(4)], 0);
  const taken = (atMs: number): boolean => judge.judge("f", "said", data, atMs).taken;
  assert.equal([taken(0), taken(0), taken(0), taken(0), taken(0)], [true, true, true, true, false]);
  assert.is(taken(899_000), false);
  assert.is(taken(900_000), true);
  assert.is(taken(900_001), false);
});

test("all flows together have one", () => {
  const judge = new Judge([flow(3600, "f"), flow(3600, "g")], 0);
  const taken = Array.from({ length: 100 }, (_, i) =>
    judge.judge(i % 2 ? "f" : "g", "said", data, 0),
  );
  assert.is(taken.filter((judged) => judged.taken).length, EVENTS_PER_MINUTE_MAX);
});

test("a flow that is sent anew does not get its rate anew", () => {
  const first = new Judge([flow(2)], 0);
  assert.is(first.judge("f", "said", data, 0).taken, true);
  const second = new Judge([flow(2)], 1, first);
  assert.is(second.judge("f", "said", data, 1).taken, true);
  assert.equal(second.judge("f", "said", data, 1), { taken: false, reason: "too_often" });
});

test.run();
