/** The client's types and its table of operations are those of the API as it is now. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { apiDescription } from "@kerbside/commands";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { typeText } from "../../../scripts/client/type-text.ts";
import { clientFiles, GENERATED } from "../../../scripts/client.ts";

test("what is generated is what would be generated now", async () => {
  const fresh = clientFiles(await apiDescription());
  assert.equal(readdirSync(GENERATED).sort(), [...fresh.keys()].sort());
  const stale = [...fresh]
    .filter(([name, text]) => readFileSync(join(GENERATED, name), "utf8") !== text)
    .map(([name]) => name);
  assert.equal(stale, [], "run node scripts/client.ts");
});

const TYPES = [
  { why: "plain", schema: { type: "integer", minimum: 1 }, text: "number" },
  { why: "names", schema: { type: "string", enum: ["a", "b"] }, text: '"a" | "b"' },
  {
    why: "a list of names",
    schema: { type: "array", items: { type: "string", enum: ["a", "b"] } },
    text: 'readonly ("a" | "b")[]',
  },
  {
    why: "needed or not",
    schema: {
      type: "object",
      required: ["a"],
      properties: {
        a: { type: "boolean", description: "no end */ here" },
        "b-c": { type: "string" },
      },
    },
    text: '{\n  /** no end * / here */ readonly a: boolean;\n  readonly "b-c"?: string;\n}',
  },
  { why: "nothing in it", schema: { type: "object", properties: {} }, text: "Nothing" },
  { why: "anything", schema: { description: "by kind" }, text: "unknown" },
] as const;

test("a schema becomes the type that it describes", () => {
  for (const { why, schema, text } of TYPES) assert.is(typeText(schema, ""), text, why);
});

test("what has no type yet is refused, and never said to be anything", () => {
  for (const schema of [{ anyOf: [{ type: "string" }] }, { $ref: "#/x" }, { type: "null" }, "text"])
    assert.throws(() => typeText(schema, ""), JSON.stringify(schema));
});

test.run();
