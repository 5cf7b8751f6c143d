/**
 * The door through which configuration comes in: the data directory, and the secrets by name from the environment,
 * from systemd's credentials, or, in development, from files that are made when they are missing (P-03, P-92).
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { KEY_BYTES, ProtocolError, randomBytes } from "@kerbside/protocol";
import {
  checkStage,
  isStage,
  makeDirectory,
  markStage,
  readIfThere,
  replaceFile,
  STAGES,
  type Stage,
  stageOf,
} from "@kerbside/tenants";

export const DATA_DIR_DEFAULT = ".kerbside/cloud";

/** The secrets of the services by name, and the variable of the environment that may carry each. */
export const SECRET_NAMES = {
  "master-key": { variable: "KERBSIDE_MASTER_KEY", doc: "seals the tenants' vaults" },
  "signer-key": { variable: "KERBSIDE_SIGNER_KEY", doc: "seals the signer's vaults" },
  "issuer-key": {
    variable: "KERBSIDE_ISSUER_KEY",
    doc: "seals the token issuer's vault and its clients",
  },
  "backup-key": { variable: "KERBSIDE_BACKUP_KEY", doc: "encrypts backups" },
} as const;
export type SecretName = keyof typeof SECRET_NAMES;
export type Environment = Readonly<Record<string, string | undefined>>;

/** The one place where the environment is read. */
export function environment(): Environment {
  // biome-ignore lint/style/noProcessEnv: this is the door; everything behind it receives values.
  return process.env;
}

/** The directory itself, or `cloud` in it where that holds the platform: the data directory of a whole demo. */
export function dataDirectory(dir: string): string {
  const given = resolve(dir);
  const inner = join(given, "cloud");
  const isThere = (at: string): boolean => existsSync(join(at, "platform.sqlite"));
  return !isThere(given) && isThere(inner) ? inner : given;
}

export const STAGE = "KERBSIDE_STAGE";
/** Where this is run (P-94): production unless the environment says otherwise. Throws ProtocolError `malformed`. */
export function stageHere(env: Environment): Stage {
  const said = env[STAGE] ?? "production";
  if (!isStage(said))
    throw new ProtocolError("malformed", `${STAGE}: expected ${STAGES.join(" or ")}`);
  return said;
}

/** A data directory that is made is marked; one of the other stage is refused. Throws ProtocolError `conflict`. */
export function settleStage(dir: string, env: Environment, create: boolean): void {
  const here = stageHere(env);
  if (existsSync(join(dir, "platform.sqlite"))) checkStage(dir, stageOf(dir), here);
  else if (create) {
    makeDirectory(dir);
    markStage(dir, here);
  }
}

export type SecretSource = {
  readonly dir: string;
  /** Makes a missing secret as a file under the data directory. */
  readonly dev: boolean;
  readonly env: Environment;
};

/** Throws ProtocolError `unavailable` naming where it was looked for, `malformed` where it is no key. */
export function readSecret(name: SecretName, { dir, dev, env }: SecretSource): Uint8Array {
  const { variable } = SECRET_NAMES[name];
  const given = env[variable];
  if (given !== undefined) return parseKey(variable, given);
  const credentials = env["CREDENTIALS_DIRECTORY"];
  const places = [
    ...(credentials === undefined ? [] : [join(credentials, name)]),
    join(dir, "secrets", name),
  ];
  for (const file of places) {
    const content = readIfThere(file);
    if (content !== undefined) return parseKey(file, Buffer.from(content).toString("utf8"));
  }
  if (!dev)
    throw new ProtocolError(
      "unavailable",
      `${name}: expected it in ${variable} or in the file ${places.join(" or ")}; --dev makes one`,
    );
  const key = randomBytes(KEY_BYTES);
  writeSecret(dir, name, Buffer.from(key).toString("base64url"));
  return key;
}

/** A password in text by another service's choice; undefined where there is none. See readSecret for the places. */
export function readPassword(
  { name, variable }: { readonly name: string; readonly variable: string },
  env: Environment,
): string | undefined {
  const given = env[variable];
  const credentials = env["CREDENTIALS_DIRECTORY"];
  if (given !== undefined || credentials === undefined) return given;
  const content = readIfThere(join(credentials, name));
  return content && Buffer.from(content).toString("utf8").trim();
}

/** Keeps a secret as a file that only its owner can read. Returns where. */
export function writeSecret(dir: string, name: string, text: string): string {
  makeDirectory(join(dir, "secrets"));
  const file = join(dir, "secrets", name);
  replaceFile(file, Buffer.from(`${text}\n`));
  return file;
}

function parseKey(where: string, text: string): Uint8Array {
  const key = new Uint8Array(Buffer.from(text.trim(), "base64url"));
  if (key.length !== KEY_BYTES || Buffer.from(key).toString("base64url") !== text.trim())
    throw new ProtocolError("malformed", `${where}: expected ${KEY_BYTES} bytes in base64url`);
  return key;
}
