/** Makes what both ends of a real line need, and the file that says so. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AuditEntry, randomBytes, sealKeyPair, signingKey, toHex } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { makePki } from "../../cloud/identity/pki.ts";
import { ADDRESS, type Setup } from "./setup-file.ts";

const AUDIT: AuditEntry = { actor: "test", action: "test", subject: "test", outcome: "done" };

/** Makes a tenant with one car in `dir`; gives the file that says so. */
export async function setUp(dir: string): Promise<string> {
  const pki = await makePki();
  const [masterKey, carSeed] = [randomBytes(32), randomBytes(32)];
  const car = await pki.car(ADDRESS.tenant, ADDRESS.vehicle);
  const registry = await openRegistry({ dir: join(dir, "cloud"), masterKey, create: true });
  await registry.create(ADDRESS.tenant, randomBytes(32), AUDIT, async () => undefined);
  const store = (await registry.tenant(ADDRESS.tenant))?.store;
  const record = { vehicle: ADDRESS.vehicle, profile: "test", enrolledAtMs: 1 };
  const { publicKey } = signingKey(carSeed);
  await store?.putVehicle(
    { ...record, signingKey: publicKey, certificateSerial: car.serial },
    AUDIT,
  );
  await registry.close();
  const pair = sealKeyPair();
  const setup: Setup = {
    dir,
    masterKey: toHex(masterKey),
    ingest: { publicKey: toHex(pair.publicKey), privateKey: toHex(pair.privateKey) },
    carSeed: toHex(carSeed),
    commandSeed: toHex(randomBytes(32)),
    rootCa: pki.platform.rootCertificate,
    server: pki.server,
    car: { key: car.key, cert: car.cert, serial: car.serial, notAfterMs: car.notAfterMs },
  };
  const file = join(dir, "setup.json");
  writeFileSync(file, JSON.stringify(setup));
  return file;
}
