/** `cloud-process.ts SETUP PORT`: broker, ingest and store. Says `ready PORT`, and ends in order at SIGTERM. */
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { startBroker } from "@kerbside/broker";
import { createIngest } from "@kerbside/ingest";
import { fromHex } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { realClock as clock, silentLog as log } from "../../support/runtime.ts";
import { ADDRESS, readSetup } from "./setup-file.ts";

const [file = "", port = "0"] = process.argv.slice(2);
const setup = readSetup(file);
const masterKey = fromHex(setup.masterKey);
const registry = await openRegistry({ dir: join(setup.dir, "cloud"), masterKey });
const store = (await registry.tenant(ADDRESS.tenant))?.store;
if (store === undefined) throw new Error("there is no tenant");
const pair = {
  publicKey: fromHex(setup.ingest.publicKey),
  privateKey: fromHex(setup.ingest.privateKey),
};
const home = { store, ingestKey: async () => pair };
const broker = await startBroker({
  ...{ port: Number(port), host: "127.0.0.1", clock, log },
  tls: { ...setup.server, ca: [setup.rootCa] },
  // There is but one car, and TLS has proven that it holds a certificate of this house.
  identify: async () => ({ ...ADDRESS, ...setup.car }),
  // It is the same car that comes again after each of its many deaths.
  limits: { connectsBurst: 1e6, refusalsMax: 1e6 },
});
const { downlink } = broker;
const ingest = await createIngest({ tenant: async () => home, downlink, clock, log });
await broker.source.start((message) =>
  message.topic.channel === "up" ? ingest.handle(message) : Promise.resolve(),
);
// Whoever started it is gone.
process.stdin.on("end", () => process.exit(1)).resume();
process.on("SIGTERM", () => {
  process.stdin.pause();
  const end = async (): Promise<void> => {
    await broker.close();
    await ingest.close();
    await registry.close();
  };
  void end();
});
process.stdout.write(`ready ${broker.port}\n`);
// Now, because a process that is killed does not come to it, and the next start is quicker.
flushCompileCache();
