/** Commits segments of one car until it is killed; prints the number of each once the store has it for good. */
import { ProtocolError } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { AUDIT, CarLog } from "../../conformance/car-log.ts";

const [dir = "", key = "", count = "0"] = process.argv.slice(2);
const masterKey = new Uint8Array(Buffer.from(key, "hex"));
const registry = await openRegistry({ dir, masterKey });
const tenant = await registry.tenant("demo");
if (tenant === undefined) throw new ProtocolError("not_found", "demo");
const log = new CarLog();
process.stdout.write(`log ${Buffer.from(log.log).toString("hex")}\n`);
for (let number = 1; number <= Number(count); number += 1) {
  const events = Array.from({ length: 20 }, (_, i) => log.position(100 * number + i));
  await tenant.store.commitSegments([log.next("state", events)]);
  await tenant.store.audit(AUDIT);
  process.stdout.write(`${number}\n`);
}
await registry.close();
