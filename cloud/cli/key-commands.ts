/**
 * `key rotate`: a new key for a purpose, certified by the tenant's authority, which is at hand for this alone; and
 * `key succeed`: another authority in the place of one that was lost or stolen, named by its spare.
 */
import {
  CERTIFIED_PURPOSES,
  concatBytes,
  KEY_BYTES,
  ProtocolError,
  sealKeyPair,
  signingKey,
  systemRandom,
  tenantId,
} from "@kerbside/protocol";
import { readIfThere } from "@kerbside/tenants";
import { readSecret } from "../config.ts";
import { type Command, type Input, TENANT_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

export const KEY_COMMANDS: readonly Command[] = [
  {
    name: "key rotate",
    summary: "Makes and certifies a new key; cars take it at once, or at their next session.",
    options: {
      ...TENANT_OPTIONS,
      purpose: { value: "NAME", required: true, doc: `one of ${CERTIFIED_PURPOSES.join(", ")}` },
      authority: { value: "FILE", required: true, doc: "the tenant's authority key" },
    },
    run: rotate,
  },
  {
    name: "key succeed",
    summary: "Puts another authority in the place of a lost or stolen one, by its spare.",
    options: {
      ...TENANT_OPTIONS,
      spare: { value: "FILE", required: true, doc: "the tenant's spare key" },
    },
    run: succeed,
  },
];

function rotate(input: Input): Promise<number> {
  const id = asked(() => tenantId(input.text("tenant")));
  const purpose = CERTIFIED_PURPOSES.find((name) => name === input.text("purpose"));
  if (purpose === undefined)
    throw new UsageError(`key rotate: --purpose expects one of ${CERTIFIED_PURPOSES.join(", ")}`);
  const authority = signingKey(seedIn(input.text("authority")));
  return withRegistry(input, async (registry, dir) => {
    const { certificateOf, currentCertificates, VAULT_NAMES } = await import("../provisioning.ts");
    const { rotateSigner } = await import("@kerbside/commands");
    const signerKey = readSecret("signer-key", { dir, dev: false, env: input.env });
    const audit = byOperator(input, "key.rotate", `key:${purpose}`);
    const version = await registry.rotate(id, signerKey, audit, async ({ vault, signerVault }) => {
      const pinned = await vault.get(VAULT_NAMES.authority);
      if (pinned === undefined || Buffer.compare(pinned, authority.publicKey) !== 0)
        throw new ProtocolError("unauthenticated", "--authority: is not this tenant's authority");
      const before = (await currentCertificates(vault)).get(purpose)?.version ?? 0;
      if (purpose !== "ingest") {
        const key = await rotateSigner(signerVault, systemRandom, purpose);
        const certificate = certificateOf(authority, id, purpose, key);
        await vault.put(VAULT_NAMES.certificate(purpose, key.version), certificate);
        return key.version;
      }
      const pair = sealKeyPair();
      const key = { version: before + 1, publicKey: pair.publicKey };
      await vault.put(
        VAULT_NAMES.ingestKey(key.version),
        concatBytes(pair.publicKey, pair.privateKey),
      );
      const certificate = certificateOf(authority, id, purpose, key);
      await vault.put(VAULT_NAMES.certificate(purpose, key.version), certificate);
      return key.version;
    });
    input.print(
      { tenant: id, purpose, version },
      `${purpose} key ${version} of ${id} is certified`,
    );
    return 0;
  });
}

function succeed(input: Input): Promise<number> {
  const id = asked(() => tenantId(input.text("tenant")));
  const spare = signingKey(seedIn(input.text("spare")));
  return withRegistry(input, async (registry, dir) => {
    const { succeedAuthority } = await import("../succession.ts");
    const signerKey = readSecret("signer-key", { dir, dev: false, env: input.env });
    const audit = byOperator(input, "key.succeed", "key:authority");
    const made = await registry.rotate(id, signerKey, audit, ({ vault, signerVault }) =>
      succeedAuthority({ id, dir, vault, signerVault, spare }),
    );
    input.print(
      { tenant: id, ...made },
      [
        `authority ${made.version} of ${id} takes the place of the one before; cars take it at once, or at their next session`,
        `it is in ${made.authorityFile}, its spare in ${made.spareFile}: keep both offline, apart from each other`,
      ].join("\n"),
    );
    return 0;
  });
}

function seedIn(file: string): Uint8Array {
  const content = readIfThere(file);
  if (content === undefined) throw new ProtocolError("not_found", `${file}: there is no such file`);
  const seed = Buffer.from(Buffer.from(content).toString("utf8").trim(), "base64url");
  if (seed.length !== KEY_BYTES)
    throw new ProtocolError("malformed", `${file}: expected ${KEY_BYTES} bytes in base64url`);
  return new Uint8Array(seed);
}
