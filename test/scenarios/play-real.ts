/** A shipped scenario in real time: cloud, car and agent as processes of their own. */
import { join } from "node:path";
import { playedText } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createRunner } from "../../scenarios/run.ts";
import { root } from "../house/sources.ts";

export function registerReal(name: string): void {
  test(`scenario ${name} in real time`, async () => {
    const runner = createRunner("real");
    const played = await runner.run(join(root, "sim", "scenarios", `${name}.yaml`));
    assert.ok(played.held, `\n${playedText(played, true)}`);
  });
}
