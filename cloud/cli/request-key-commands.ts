/**
 * `request-key`: the public keys that callers sign their requests with, and whether they have to. They are in the signer's
 * vault, so that nobody who took over the API puts one there or lets unsigned requests pass.
 */
import { createPublicKey } from "node:crypto";
import { ProtocolError, tenantId, toHex } from "@kerbside/protocol";
import { openSignerTenants, readIfThere, type SignersTenant } from "@kerbside/tenants";
import { dataDirectory, readSecret } from "../config.ts";
import { type Command, type Input, TENANT_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

const OF_KEY = {
  ...TENANT_OPTIONS,
  client: { value: "NAME", required: true, doc: "the client, as its tokens name it" },
  "key-id": { value: "ID", required: true, doc: "what its signatures call the key" },
} as const;

export const REQUEST_KEY_COMMANDS: readonly Command[] = [
  {
    name: "request-key add",
    summary: "Takes a client's public key, which the signer verifies its signed requests with.",
    options: {
      ...OF_KEY,
      "public-key": {
        value: "FILE",
        required: true,
        doc: "Ed25519 or ECDSA on P-256, as PEM (BEGIN PUBLIC KEY)",
      },
    },
    run: add,
  },
  {
    name: "request-key list",
    summary: "Lists the clients' public keys, those that were revoked too, by their SHA-256.",
    options: TENANT_OPTIONS,
    run: list,
  },
  {
    name: "request-key revoke",
    summary: "Takes a client's public key back; the signer believes it no more.",
    options: OF_KEY,
    run: revoke,
  },
  {
    name: "request-key require",
    summary: "Whether what is asked of cars, bookings and grants has to be signed by the caller.",
    options: { ...TENANT_OPTIONS, signed: { value: "yes|no", required: true, doc: "yes or no" } },
    run: require,
  },
];

async function add(input: Input): Promise<number> {
  const [client, keyId] = [input.text("client"), input.text("key-id")];
  const { spki, pem } = publicKeyIn(input.text("public-key"));
  await asSigner(input, async ({ revoked }, { wasTakenBack }) => {
    if (!(await wasTakenBack(revoked, { subject: client, keyId }, spki))) return;
    throw new ProtocolError("conflict", `${keyId}: this key was taken back; expected another one`);
  });
  // The audit keeps the key itself: what it signed can be shown after it was taken back.
  const audit = byOperator(input, "request_key.add", `client:${client}`, `${keyId} ${pem}`);
  return changed(input, audit, { client, keyId }, (commands, vault) =>
    commands.putRequestKey(vault, { subject: client, keyId }, spki),
  );
}

function list(input: Input): Promise<number> {
  const id = input.text("tenant");
  return asSigner(input, async ({ vault, revoked }, commands) => {
    for (const key of await commands.requestKeys(vault, revoked)) {
      const { subject, keyId, sha256 } = key;
      const what = {
        ...(key.revoked ? { revoked: true } : {}),
        ...(sha256 === undefined ? {} : { sha256: toHex(sha256) }),
      };
      const words = [subject, keyId, ...(key.revoked ? ["revoked"] : []), what.sha256 ?? ""];
      input.print({ tenant: id, client: subject, keyId, ...what }, words.join("  ").trimEnd());
    }
    const signed = await commands.asksForSignedRequests(vault);
    input.print({ tenant: id, signed }, `signatures are ${signed ? "demanded" : "not demanded"}`);
    return 0;
  });
}

/** A tenant opened as the signer opens it. */
async function asSigner<T>(
  input: Input,
  use: (tenant: SignersTenant, commands: Commands) => Promise<T>,
): Promise<T> {
  const id = asked(() => tenantId(input.text("tenant")));
  const dir = dataDirectory(input.text("data"));
  const signerKey = readSecret("signer-key", { dir, dev: false, env: input.env });
  const tenants = await openSignerTenants({ dir, signerKey });
  try {
    const tenant = await tenants.tenant(id);
    if (tenant === undefined) throw new ProtocolError("not_found", `tenant ${id}: is not there`);
    return await use(tenant, await import("@kerbside/commands"));
  } finally {
    await tenants.close();
  }
}

function revoke(input: Input): Promise<number> {
  const [client, keyId] = [input.text("client"), input.text("key-id")];
  const audit = byOperator(input, "request_key.revoke", `client:${client}`, keyId);
  return changed(input, audit, { client, keyId, revoked: true }, (commands, vault) =>
    commands.putRequestKey(vault, { subject: client, keyId }, undefined),
  );
}

function require(input: Input): Promise<number> {
  const signed = input.text("signed");
  if (signed !== "yes" && signed !== "no") {
    throw new UsageError("request-key require: --signed expects yes or no");
  }
  const audit = byOperator(input, "request_key.require", "signed-requests", signed);
  return changed(input, audit, { signed: signed === "yes" }, (commands, vault) =>
    commands.askForSignedRequests(vault, signed === "yes"),
  );
}

type Commands = typeof import("@kerbside/commands");
type SignerVault = Parameters<Commands["putRequestKey"]>[0];

function changed(
  input: Input,
  audit: ReturnType<typeof byOperator>,
  what: Readonly<Record<string, unknown>>,
  change: (commands: Commands, vault: SignerVault) => Promise<void>,
): Promise<number> {
  const id = asked(() => tenantId(input.text("tenant")));
  return withRegistry(input, async (registry, dir) => {
    const commands = await import("@kerbside/commands");
    const signerKey = readSecret("signer-key", { dir, dev: false, env: input.env });
    await registry.rotate(id, signerKey, audit, ({ signerVault }) => change(commands, signerVault));
    const words = Object.entries(what).map(([name, value]) => `${name} ${value}`);
    input.print({ tenant: id, ...what }, `${id}: ${words.join(", ")}`);
    return 0;
  });
}

function publicKeyIn(file: string): { readonly spki: Uint8Array; readonly pem: string } {
  const content = readIfThere(file);
  if (content === undefined) throw new ProtocolError("not_found", `${file}: there is no such file`);
  const pem = Buffer.from(content).toString("utf8").trim();
  // A private key would be taken as well, and must not be brought here.
  const isPublic = /^-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----$/.test(
    pem,
  );
  try {
    if (!isPublic) throw new TypeError("another kind of file");
    const spki = createPublicKey(pem).export({ format: "der", type: "spki" });
    return { spki: new Uint8Array(spki), pem: spki.toString("base64") };
  } catch (cause) {
    throw new ProtocolError("malformed", `${file}: expected a public key as PEM`, { cause });
  }
}
