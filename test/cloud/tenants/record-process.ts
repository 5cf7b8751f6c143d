/** Enters records of reads one after the other, and prints what became of each: `ok`, or the code of the error. */
import { ProtocolError } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { AUDIT } from "../../conformance/car-log.ts";

const [dir = "", key = "", count = "0"] = process.argv.slice(2);
const registry = await openRegistry({ dir, masterKey: new Uint8Array(Buffer.from(key, "hex")) });
const tenant = await registry.tenant("demo");
if (tenant === undefined) throw new ProtocolError("not_found", "demo");
for (let number = 1; number <= Number(count); number += 1) {
  const entry = { ...AUDIT, subject: `read-${number}` };
  const outcome = await tenant.store.audit(entry, "soon").then(
    () => "ok",
    (error: unknown) => (error instanceof ProtocolError ? error.code : "not of ours"),
  );
  process.stdout.write(`${number} ${outcome}\n`);
}
// Not in order: a disk that fails may fail at the close as well.
process.exit();
