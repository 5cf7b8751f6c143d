/** Delivers webhooks of one tenant until it is killed. */
import { readFileSync } from "node:fs";
import { openRegistry } from "@kerbside/tenants";
import { addressRule, sender, WebhookWorker } from "@kerbside/webhooks";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";

const [dir = "", key = "", caFile = ""] = process.argv.slice(2);
const masterKey = new Uint8Array(Buffer.from(key, "hex"));
const registry = await openRegistry({ dir, masterKey });
const ca = readFileSync(caFile, "utf8");
new WebhookWorker({
  tenants: registry.list,
  store: async (id) => (await registry.tenant(id))?.store,
  send: sender({ rule: addressRule(() => true), answerMsMax: 20_000, ca }),
  clock: realClock,
  random: realRandom,
  log: silentLog,
  limits: { lookMs: 10, sweepMs: 10, leaseMs: 1000 },
});
