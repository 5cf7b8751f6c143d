/** P-91, P-93: incidents and breaches, and what the clock asks for. */
import {
  BREACH_STEPS,
  breachSteps,
  type Incident,
  UPDATE_MS,
  updateDueMs,
} from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const START = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
type World = { files: TestRegistry; at: { nowMs: number } };
const test = suite<World>("incidents");
test.before.each(async (world) => {
  world.at = { nowMs: START };
  world.files = await testRegistry(() => world.at.nowMs);
});
test.after.each(({ files }) => files.close());

test("P-91 an incident is told of within the hour of each change, then daily, and ends with a post-mortem", ({
  files,
  at,
}) => {
  const { incidents } = files.registry.platform;
  const { id, ...opened } = incidents.open("incident", "cars do not connect", AUDIT);
  const due = (incident: Incident): number => (updateDueMs(incident) ?? 0) - at.nowMs;
  assert.is(due({ id, ...opened }), UPDATE_MS.first);
  at.nowMs += HOUR_MS;
  const same = incidents.update(id, "investigating", "we look", AUDIT);
  assert.is(due(same), UPDATE_MS.later, "nothing changed");
  at.nowMs += HOUR_MS;
  assert.is(due(incidents.update(id, "identified", "a certificate", AUDIT)), UPDATE_MS.first);
  assert.throws(() => incidents.close(id, "learnt", AUDIT), /resolved/);
  incidents.update(id, "resolved", "renewed", AUDIT);
  const closed = incidents.close(id, "watch its end", AUDIT);
  assert.is(updateDueMs(closed), undefined);
  assert.is(closed.postMortem, "watch its end");
  assert.throws(() => incidents.update(id, "monitoring", "again", AUDIT), /closed/);
  assert.is(incidents.list().length, 1);
  assert.equal(files.registry.platform.verifyAudit().problems, []);
  assert.equal(files.registry.platform.schemaProblems(), []);
});

test("P-93 a breach has deadlines, keeps what was done when, and does not close before", ({
  files,
  at,
}) => {
  const { incidents } = files.registry.platform;
  const { id } = incidents.open("breach", "a backup was lost", AUDIT);
  const [breach] = incidents.list();
  if (breach === undefined) throw new Error("it was opened");
  const authority = breachSteps(breach).find(({ step }) => step === "authority");
  assert.is(authority?.dueMs, START + 72 * HOUR_MS, "GDPR article 33 (1)");
  for (const { step } of BREACH_STEPS) {
    assert.throws(() => incidents.close(id, "learnt", AUDIT), new RegExp(step));
    at.nowMs += HOUR_MS;
    incidents.update(id, "resolved", `${step}: done`, AUDIT);
  }
  const { updates } = incidents.close(id, "learnt", AUDIT);
  assert.equal(
    updates.map(({ atMs }) => (atMs - START) / HOUR_MS),
    [0, 1, 2, 3, 4, 5],
  );
});

test.run();
