/** Scenario files: their form, the linter, the player on a stage of its own, the reports. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  durationMs,
  type Json,
  junitXml,
  loadScenario,
  type Played,
  play,
  playedText,
  ScenarioSchema,
  type Stage,
} from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../house/sources.ts";

const head = "scenario: A name\nstory: What it is about.\nsteps:\n";

type Wrong = { readonly why: string; readonly text: string; readonly says: RegExp };
const WRONG: readonly Wrong[] = [
  { why: "no YAML", text: "steps: [", says: /^1:/ },
  { why: "a key twice", text: `${head}  - wait: 1s\n    wait: 2s\n`, says: /^5:.*unique/ },
  { why: "a step that does nothing", text: `${head}  - words: hm\n`, says: /exactly one of say/ },
  {
    why: "a step that does two things",
    text: `${head}  - wait: 1s\n    say: x\n`,
    says: /exactly/,
  },
  { why: "an unknown step", text: `${head}  - fly: 1s\n`, says: /^4:.*fly/ },
  {
    why: "a time that is none",
    text: `${head}  - wait: 1 minute\n`,
    says: /^4:.*steps.0.wait.*1h30m/,
  },
  { why: "a booking that is not there", text: `${head}  - end: b\n`, says: /no booking b/ },
  {
    why: "an action that no car knows",
    text: `${head}  - command: { do: fly }\n`,
    says: /no action/,
  },
  { why: "an act that is none", text: `${head}  - act: { type: door, leaf: x }\n`, says: /leaf/ },
  {
    why: "a kind of event that is none",
    text: `${head}  - expect: { event: x }\n`,
    says: /event x/,
  },
  { why: "nothing to expect", text: `${head}  - wait: 1s\n`, says: /nothing is expected/ },
  {
    why: "a time line that goes back",
    text: `${head}  - at: 5s\n    say: a\n  - at: 4s\n    expect: { intact: true }\n`,
    says: /^6:.*before that/,
  },
  {
    why: "an expectation of nothing",
    text: `${head}  - expect: { within: 1s }\n`,
    says: /exactly one of event/,
  },
  {
    why: "a name twice",
    text: `${head}  - book: { as: b }\n  - book: { as: b }\n  - expect: { intact: true }\n`,
    says: /^5:.*already/,
  },
  {
    why: "a drive that nobody waits for",
    text: `${head}  - drive: { as: tour }\n  - expect: { intact: true }\n`,
    says: /^1:.*nobody awaits drive tour/,
  },
  {
    why: "a command of which nothing is asked",
    text: `${head}  - command: { do: unlock, as: c }\n  - expect: { command: c }\n`,
    says: /^5:.*`has`/,
  },
  {
    why: "a car of which nothing is asked",
    text: `${head}  - expect: { car: {} }\n`,
    says: /^4:.*nothing is asked of car/,
  },
  {
    why: "what is asked of an event in the wrong place",
    text: `${head}  - expect: { event: trip.ended, has: { distanceM: 5 } }\n`,
    says: /^4:.*`has`/,
  },
  {
    why: "a number of what is never there",
    text: `${head}  - expect: { never: trip.ended, times: 2 }\n`,
    says: /^4:.*`times`/,
  },
];
for (const { why, text, says } of WRONG) {
  test(`a scenario is refused: ${why}`, () => {
    const loaded = loadScenario(text);
    assert.ok(!loaded.ok);
    const problems = loaded.problems.map(({ line, message }) => `${line}: ${message}`);
    assert.ok(
      problems.some((problem) => says.test(problem)),
      problems.join("\n"),
    );
  });
}

test("the published JSON Schema is the one that files are checked against", () => {
  const file = join(root, "sim", "scenario", "scenario.schema.json");
  assert.equal(JSON.parse(readFileSync(file, "utf8")), JSON.parse(JSON.stringify(ScenarioSchema)));
});

test("spans of time", () => {
  const cases: readonly (readonly [number | string, number])[] = [
    [5, 5000],
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["250ms", 250],
    ["-1m", -60_000],
    ["2d", 172_800_000],
    ["1.5s", 1500],
  ];
  for (const [given, ms] of cases) assert.is(durationMs(given), ms, String(given));
  assert.throws(() => durationMs("soon"), /expected a time/);
});

/** A stage that only passes time and has some events to show. */
function paperStage(events: () => readonly Json[], change: Partial<Stage> = {}): Stage {
  let nowMs = 0;
  const no = (): Promise<never> => Promise.reject(new Error("not on this stage"));
  return {
    name: "simulated",
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    vehicle: "car-1",
    pass: async (ms) => {
      nowMs += ms;
    },
    during: (work) => work,
    ask: no,
    events: async () => events(),
    alarms: async () => [],
    quarantined: async () => [],
    car: async () => ({ locked: true, speedKmh: 12 }),
    act: async () => undefined,
    tap: no,
    drive: no,
    fault: async () => undefined,
    coverage: async () => undefined,
    broker: no,
    cloud: no,
    power: no,
    agent: no,
    clock: no,
    disk: no,
    revoke: no,
    waiting: async () => 0,
    log: () => ["the last word"],
    close: async () => undefined,
    ...change,
  };
}

async function played(steps: string, stage: Stage): Promise<Played> {
  const loaded = loadScenario(head + steps);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { scenario, lines } = loaded;
  return play({ scenario, lines, stage, nowMs: () => 0 });
}

test("what holds is told with its moment and its evidence, late as it may come", async () => {
  const stage: Stage = paperStage(() =>
    stage.nowMs() < 3000
      ? []
      : [{ kind: "trip.ended", lane: "state", seq: 4, at: "then", data: { distanceM: 700 } }],
  );
  const all = await played(
    '  - wait: 1s\n  - expect: { event: trip.ended, data: { distanceM: ">= 500" } }\n  - expect: { car: { locked: true, speedKmh: "< 20" } }\n',
    stage,
  );
  assert.ok(all.held, playedText(all, true));
  const [, event] = all.steps;
  assert.is(event?.line, 5);
  assert.ok((event?.atMs ?? 0) >= 3000 && (event?.atMs ?? 0) < 6000);
  assert.match(event?.evidence ?? "", /state 4 at then/);
});

test("what must not be is looked for as long as it says, and what is there is not told as intact by nothing", async () => {
  const late: Stage = paperStage(() =>
    late.nowMs() < 3000
      ? []
      : [{ kind: "trip.ended", lane: "state", seq: 4, at: "then", data: {} }],
  );
  const all = await played(
    "  - expect: { intact: true, within: 0 }\n  - expect: { never: trip.ended }\n  - expect: { never: trip.ended, within: 2s }\n  - expect: { never: trip.ended, within: 5s }\n  - expect: { event: trip.ended, times: 0, within: 5s }\n",
    late,
  );
  assert.equal(
    all.steps.map(({ outcome }) => outcome),
    ["failed", "held", "held", "failed", "failed"],
  );
  const [nothing, once, twoSeconds, found, again] = all.steps;
  assert.match(nothing?.evidence ?? "", /nothing is stored/);
  assert.is(once?.tookMs, 0, "looked at once where no time is given");
  assert.is(twoSeconds?.tookMs, 2000);
  assert.ok((found?.tookMs ?? 0) >= 1000 && (found?.tookMs ?? 0) < 5000, "told as it is found");
  assert.is(again?.tookMs, 0);
});

test("what does not hold is told with what was seen instead, and the rest goes on", async () => {
  const event = { kind: "trip.ended", data: { distanceM: 5 } };
  const all = await played(
    '  - expect: { event: trip.ended, data: { distanceM: ">= 500" }, within: 2s }\n  - expect: { car: { locked: false }, within: 0 }\n  - expect: { car: { locked: true } }\n',
    paperStage(() => [event]),
  );
  assert.is(all.held, false);
  assert.equal(
    all.steps.map(({ outcome }) => outcome),
    ["failed", "failed", "held"],
  );
  assert.match(all.steps[0]?.evidence ?? "", /of 1 trip.ended none fits.*"distanceM":5/);
  assert.is(all.steps[0]?.atMs, 2000);
  assert.match(all.steps[1]?.evidence ?? "", /locked is true, not false/);
  const text = playedText(all, false);
  assert.match(text, /^FAIL A name/);
  assert.match(text, /agent: the last word/);
});

test("what cannot be done ends the scenario; what follows is skipped, and is no success", async () => {
  const all = await played(
    "  - broker: down\n  - expect: { car: { locked: true } }\n",
    paperStage(() => []),
  );
  assert.equal(
    all.steps.map(({ outcome }) => outcome),
    ["error", "skipped"],
  );
  assert.is(all.held, false);
});

test("JUnit: a suite a scenario, a case a step, nothing that breaks XML", async () => {
  const all = await played(
    '  - say: a < b & "c"\n  - expect: { car: { locked: false }, within: 0 }\n  - broker: down\n  - wait: 1s\n',
    paperStage(() => []),
  );
  const xml = junitXml([all]);
  assert.match(xml, /tests="4" failures="1" errors="1" skipped="1"/);
  assert.match(xml, /a &lt; b &amp; &quot;c&quot;/);
  assert.match(xml, /<failure message="locked is true, not false">/);
});

test.run();
