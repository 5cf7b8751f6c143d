/** Takes a tenant away, until it is killed. */
import { tenantId } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { AUDIT } from "../../conformance/car-log.ts";

const [dir = "", key = ""] = process.argv.slice(2);
const registry = await openRegistry({ dir, masterKey: new Uint8Array(Buffer.from(key, "hex")) });
process.stdout.write("ready\n");
await registry.remove(tenantId("demo"), AUDIT);
await registry.close();
