/** Tests that need a cage of namespaces, which some machines forbid. */
import { spawnSync } from "node:child_process";
import { test } from "uvu";

/** `test`, or a skip by name (a failure under KERBSIDE_TEST_ALL=1) where this machine cannot make a cage. */
export function caged(name: string, body: () => Promise<void>): void {
  const tried = spawnSync("unshare", ["-Urnmp", "--fork", "true"], { encoding: "utf8" });
  if (tried.status === 0) {
    test(name, body);
    return;
  }
  const why = `needs user namespaces: ${tried.stderr ?? "no unshare"}`;
  if (process.env["KERBSIDE_TEST_ALL"] === "1") {
    test(name, () => {
      throw new Error(why);
    });
    return;
  }
  process.stdout.write(`# skip ${name}: ${why}\n`);
  test.skip(name);
}
