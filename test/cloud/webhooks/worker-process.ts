/**
 * Delivers webhooks of one tenant until it is killed. At the point that is named, it says so and goes no further:
 * `claimed`, before a byte was sent; `answered`, before the answer was written down.
 */
import { readFileSync } from "node:fs";
import { openRegistry } from "@kerbside/tenants";
import { addressRule, type Send, sender, WebhookWorker } from "@kerbside/webhooks";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";

const [dir = "", key = "", caFile = "", point] = process.argv.slice(2);
const masterKey = new Uint8Array(Buffer.from(key, "hex"));
const registry = await openRegistry({ dir, masterKey });
const ca = readFileSync(caFile, "utf8");
const send = sender({ rule: addressRule(() => true), answerMsMax: 20_000, ca });
const reached = async (name: string): Promise<void> => {
  if (name !== point) return;
  process.stdout.write(`${name}\n`);
  await new Promise(() => undefined);
};
const stopping: Send = async (url, message, signal) => {
  await reached("claimed");
  const outcome = await send(url, message, signal);
  await reached("answered");
  return outcome;
};
new WebhookWorker({
  tenants: registry.list,
  store: async (id) => (await registry.tenant(id))?.store,
  send: stopping,
  clock: realClock,
  random: realRandom,
  log: silentLog,
  limits: { lookMs: 10, sweepMs: 10, leaseMs: 1000 },
});
