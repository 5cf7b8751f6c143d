/** Who the cars of a fleet are: kept in a directory a car, enrolled once with one-time tokens as any car is. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TenantId, vehicleId } from "@kerbside/protocol";
import { enrol, type Identity, loadIdentity } from "@kerbside/uplink";
import { isObject } from "../car/fields.ts";
import type { LightIdentity } from "./light-car.ts";

/** Enrolments under way at a time: the cloud has others to serve. */
const ENROLMENTS_MAX = 8;

export type EnrolOptions = {
  /** A directory a car. */
  readonly dir: string;
  readonly tenant: TenantId;
  /** Base URL of the cloud, and the authority to trust for the first contact. */
  readonly url: string;
  readonly ca: string;
  readonly tokens: readonly FleetToken[];
  readonly onEnrolled: (count: number) => void;
  readonly signal: AbortSignal;
};
/** With the broker that enrolment named. */
export type KnownIdentity = LightIdentity & Pick<Identity, "broker">;
export type FleetToken = { readonly vehicle: string; readonly token: string };

/** JSON lines with `vehicle` and `token`, as `kerbside-cloud vehicle enrol --json` prints them. Throws Error with the line. */
export function readTokens(file: string): readonly FleetToken[] {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.flatMap((line, i) => {
    if (line.trim() === "") return [];
    const wrong = new Error(`${file}:${i + 1}: expected a JSON object with vehicle and token`);
    let said: unknown;
    try {
      said = JSON.parse(line);
    } catch {
      throw wrong;
    }
    const { vehicle, token } = isObject(said) ? said : {};
    if (typeof vehicle !== "string" || typeof token !== "string") throw wrong;
    return [{ vehicle, token }];
  });
}

/** Those that have joined already, at most so many, in the order of their names. */
export function knownIdentities(dir: string, most: number): readonly KnownIdentity[] {
  if (!existsSync(dir)) return [];
  const found: KnownIdentity[] = [];
  for (const name of readdirSync(dir).sort()) {
    if (found.length >= most) break;
    const identity = loadIdentity(join(dir, name));
    if (identity !== undefined) found.push(light(identity));
  }
  return found;
}

function light(identity: Identity): KnownIdentity {
  const { address, signingKey, tls, commandKey, keys, broker } = identity;
  return { address, signingKey, tls, commandKey, ingestKey: keys.ingestKey(), broker };
}

/** Enrols what has a token and has not joined yet. Rejects with what the cloud refused. */
export async function enrolAll(options: EnrolOptions): Promise<void> {
  const { dir, tenant, url, ca, tokens, onEnrolled, signal } = options;
  const left = tokens.filter(({ vehicle }) => !existsSync(join(dir, vehicle, "identity.json")));
  let count = 0;
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined && !signal.aborted; next = left.pop()) {
      const address = { tenant, vehicle: vehicleId(next.vehicle) };
      await enrol({ dir: join(dir, next.vehicle), address, url, ca, token: next.token });
      count += 1;
      onEnrolled(count);
    }
  };
  await Promise.all(Array.from({ length: ENROLMENTS_MAX }, work));
}
