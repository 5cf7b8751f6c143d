/** P-41: what a log may carry, by the schema and not by looking at values. */
import { LOG_FIELDS, LOG_TEXT_CHARS_MAX, MASKED, maskFields } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSources } from "../../house/sources.ts";

test("P-41 fields that are personal, or that the schema does not know, are masked whole", () => {
  assert.equal(
    maskFields({ vehicle: "car-1", latitude: 53.7, holder: "p-1", email: "a@b", constructor: "x" }),
    { vehicle: "car-1", latitude: MASKED, holder: MASKED, email: MASKED, constructor: MASKED },
  );
});

test("P-41 what somebody sent does not fill the log", () => {
  const { reason } = maskFields({ reason: "x".repeat(5000) });
  assert.is(String(reason).length, LOG_TEXT_CHARS_MAX);
});

test("P-20 every personal field of logs is above Internal", () => {
  for (const [name, { tag, class: of }] of Object.entries(LOG_FIELDS))
    if (tag !== undefined) assert.is(of, "Confidential", name);
});

/** The fields that are written out in calls of a log; what is spread in comes from a type of its own. */
const CALL = /\blog\??\.(?:info|warn|error)\(\s*"[\w.]+",\s*\{([^{}]*)\}/gi;
const FIELD = /(?:^|,)\s*(\w+)\s*(?=[:,]|$)/g;

test("P-41 each field that a log is handed by name has a row in the table", () => {
  const found = new Set<string>();
  for (const { path, text } of readSources()) {
    if (!/^(?:cloud|device|sim|shared)\//.test(path)) continue;
    for (const [, fields = ""] of text.matchAll(CALL))
      for (const [, name = ""] of fields.matchAll(FIELD)) {
        found.add(name);
        assert.ok(Object.hasOwn(LOG_FIELDS, name), `${path}: ${name} is not in LOG_FIELDS`);
      }
  }
  assert.ok(found.has("reason") && found.has("connections"), "the calls are still found");
});

test.run();
