import {
  checkScheme,
  readShippedProfile,
  readShippedScheme,
  shippedProfiles,
  shippedSchemes,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";

const profile = readShippedProfile("kerbside-sim");
const scheme = (...rules: readonly object[]): object => ({
  format: 1,
  name: "test",
  version: 1,
  priority: 1,
  rules,
});

const SPEED_ON_CHANGE = { name: "a", on: "change", signals: ["Vehicle.Speed"] };
const DOOR = (data: object): object => ({
  ...SPEED_ON_CHANGE,
  emit: { kind: "door.changed", data },
});
const WRONG: readonly [why: string, document: unknown, path: string, message: RegExp][] = [
  ["no rules", scheme(), "/rules", /./],
  ["no such kind of rule", scheme({ name: "a", on: "whim" }), "/rules/0/on", /change, periodic/],
  ["an unknown key", scheme({ ...SPEED_ON_CHANGE, often: true }), "/rules/0/often", /unknown key/],
  ["a name twice", scheme(SPEED_ON_CHANGE, SPEED_ON_CHANGE), "/rules/1/name", /twice/],
  [
    "no such signal",
    scheme({ ...SPEED_ON_CHANGE, signals: ["Speed"] }),
    "/rules/0/signals/0",
    /one of/,
  ],
  [
    "no such event",
    scheme({ ...SPEED_ON_CHANGE, emit: { kind: "x", data: {} } }),
    "/rules/0/emit/kind",
    /one of/,
  ],
  ["a field is missing", scheme(DOOR({ door: "'driver'" })), "/rules/0/emit/data", /needs open/],
  [
    "a field too many",
    scheme(DOOR({ door: "'driver'", open: "true", colour: "1" })),
    "/rules/0/emit/data/colour",
    /no such field/,
  ],
  [
    "a field of another type",
    scheme(DOOR({ door: "'driver'", open: "1" })),
    "/rules/0/emit/data/open",
    /true or false/,
  ],
  [
    "a constant that is none of the words",
    scheme(DOOR({ door: "'left'", open: "true" })),
    "/rules/0/emit/data/door",
    /driver/,
  ],
  [
    "a condition that is a number",
    scheme({
      name: "a",
      on: "condition",
      when: "1",
      emit: { kind: "battery.low", data: { voltageV: "1" } },
    }),
    "/rules/0/when",
    /expected a boolean/,
  ],
  [
    "a condition over nothing",
    scheme({
      name: "a",
      on: "condition",
      when: "speed > 1",
      emit: { kind: "battery.low", data: { voltageV: "1" } },
    }),
    "/rules/0/when",
    /no variable/,
  ],
  [
    "a condition without effect",
    scheme({ name: "a", on: "condition", when: "true" }),
    "/rules/0",
    /"emit" or "sample"/,
  ],
  [
    "faster than is allowed",
    scheme({ name: "a", on: "periodic", everyMs: 1, signals: ["Vehicle.Speed"] }),
    "/rules/0/everyMs",
    /20/,
  ],
];

test("what is wrong in a scheme is named with its path, and refuses the whole of it", () => {
  for (const [why, document, path, message] of WRONG) {
    const { checked, problems } = checkScheme("s.json", JSON.stringify(document), profile.profile);
    assert.is(checked, undefined, why);
    const found = problems.some((p) => p.path === path && message.test(p.message));
    assert.ok(found, `${why}: ${JSON.stringify(problems)}`);
  }
  const odd = checkScheme(
    "s.json",
    JSON.stringify(scheme({ ...SPEED_ON_CHANGE, signals: ["Vehicle.Diagnostics.DTCList"] })),
    profile.profile,
  );
  assert.ok(odd.checked);
  assert.match(odd.problems[0]?.message ?? "", /this car has no/);
});

test("every scheme that comes with the agent is right for every profile that does", () => {
  const profiles = shippedProfiles().map(readShippedProfile);
  for (const name of shippedSchemes()) {
    for (const each of profiles) {
      const { checked } = checkScheme(name, readShippedScheme(name), each.profile);
      assert.is(checked?.scheme.name, name);
    }
  }
});

test.run();
