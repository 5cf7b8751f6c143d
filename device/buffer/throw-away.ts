/**
 * An identity for a directory without enrolment, so that the buffer can be tried. The tenant's private half is shown
 * once to whoever asked and written nowhere.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import {
  type Address,
  cryptoReady,
  fromHex,
  ProtocolError,
  randomBytes,
  type SigningKey,
  sealKeyPair,
  signingKey,
  tenantId,
  toHex,
  vehicleId,
} from "@kerbside/protocol";
import { syncDirectory } from "./set-aside.ts";

export type BufferIdentity = {
  readonly address: Address;
  readonly signingKey: SigningKey;
  readonly ingestKey: { readonly version: number; readonly publicKey: Uint8Array };
};

const FILE = "throw-away-identity";
const SEED_BYTES = 32;
const ADDRESS = { tenant: tenantId("throw-away"), vehicle: vehicleId("throw-away") };

/** The one in `dir`, if there is one. Throws ProtocolError `malformed` where it cannot be read. */
export function readThrowAway(dir: string): BufferIdentity | undefined {
  const file = join(dir, FILE);
  if (!existsSync(file)) return undefined;
  const [seed, publicKey] = readFileSync(file, "utf8").trim().split("\n").map(hexLine(file));
  if (seed === undefined || publicKey === undefined)
    throw new ProtocolError("malformed", `${file}: expected two lines of hexadecimal`);
  return { address: ADDRESS, signingKey: signingKey(seed), ingestKey: { version: 1, publicKey } };
}

function hexLine(file: string): (line: string) => Uint8Array {
  return (line) => {
    const bytes = /^[0-9a-f]{64}$/.test(line) ? fromHex(line) : undefined;
    if (bytes !== undefined) return bytes;
    throw new ProtocolError("malformed", `${file}: expected 64 hexadecimal digits a line`);
  };
}

/** Makes one. `show` gets the tenant's private half, hexadecimal. */
export async function makeThrowAway(
  dir: string,
  show: (privateKey: string) => void,
): Promise<BufferIdentity> {
  await cryptoReady();
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const seed = randomBytes(SEED_BYTES);
  const { publicKey, privateKey } = sealKeyPair();
  const handle = openSync(join(dir, FILE), "wx", 0o600);
  try {
    writeSync(handle, `${toHex(seed)}\n${toHex(publicKey)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  syncDirectory(dir);
  show(toHex(privateKey));
  return { address: ADDRESS, signingKey: signingKey(seed), ingestKey: { version: 1, publicKey } };
}
