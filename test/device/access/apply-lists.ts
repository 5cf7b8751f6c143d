/** A process that applies ever newer grant lists and prints each version once it is confirmed, until it is killed. */
import { GrantStore } from "@kerbside/access";
import { openTwoCopyFile } from "@kerbside/immobiliser";
import {
  cryptoReady,
  sealGrantList,
  signGrantList,
  signingKey,
  tenantId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { silentLog } from "../../support/runtime.ts";

await cryptoReady();
const [path = "", first = "1"] = process.argv.slice(2);
const address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const seed = new Uint8Array(32).fill(7);
const key = signingKey(new Uint8Array(32).fill(9));
const grants = new GrantStore({
  address,
  seed,
  grantKey: () => verifyKey(key.publicKey),
  file: await openTwoCopyFile(path),
  log: silentLog,
});
for (let version = Number(first); ; version += 1) {
  const list = { ...address, version, issuedAtMs: 1, cardIdKey: new Uint8Array(32), grants: [] };
  const envelope = signGrantList(key, list);
  const applied = await grants.apply(sealGrantList(signingKey(seed).publicKey, envelope));
  if (applied.kind === "applied" && applied.durable) process.stdout.write(`${version}\n`);
}
