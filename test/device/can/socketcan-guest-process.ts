/**
 * Runs inside the guest that `test/support/vcan.sh` boots: plays scenarios (its arguments name them) on a real bus and
 * prints one JSON line each, which the tests judge. No test framework here: the guest is slow.
 */
import { BUS_SCENARIOS } from "./guest-bus-scenarios.ts";
import type { Scenarios } from "./guest-ear.ts";
import { USE_SCENARIOS } from "./guest-use-scenarios.ts";

const SCENARIOS: Scenarios = { ...BUS_SCENARIOS, ...USE_SCENARIOS };

for (const scenario of process.argv.slice(2)) {
  const run = SCENARIOS[scenario] ?? (() => Promise.reject(new Error("no such scenario")));
  const result = await run().then(
    (value) => ({ value }),
    (error: unknown) => ({ error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify({ scenario, ...result })}\n`);
}
process.exit(0);
