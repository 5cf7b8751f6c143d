/** Every shipped scenario under a simulated clock, dealt out to a few files so that each stays quick. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { playedText } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createRunner } from "../../scenarios/run.ts";
import { root } from "../house/sources.ts";

const FOLDER = join(root, "sim", "scenarios");
export const SCENARIOS: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".yaml"))
  .sort()
  .map((name) => join(FOLDER, name));
export const SHARDS = 6;

/** Registers a test for each of this shard's scenarios. */
export function registerShard(shard: number): void {
  const runner = createRunner("simulated");
  for (const [index, file] of SCENARIOS.entries()) {
    if (index % SHARDS !== shard) continue;
    test(`scenario ${file.slice(FOLDER.length + 1)}`, async () => {
      const played = await runner.run(file);
      assert.ok(played.held, `\n${playedText(played, true)}`);
    });
  }
  test.after(() => runner.close());
}
