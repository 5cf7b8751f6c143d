/** Schemes pushed by the cloud, and those that come with the agent under names that were not pushed. */
import { ProtocolError, type VerifyKey } from "@kerbside/protocol";
import type { Profile } from "../profile/index.ts";
import { openShelf, type Shelf } from "../shelf.ts";
import { type CheckedScheme, loadScheme } from "./check.ts";
import { readShippedScheme, shippedSchemes } from "./shipped.ts";

export type SchemeShelfOptions = {
  readonly dir: string;
  readonly tenant: string;
  readonly profile: Pick<Profile, "signals" | "limits" | "obd">;
};

export type SchemeShelf = {
  /** What is to run now. */
  readonly schemes: () => readonly CheckedScheme[];
  readonly damaged: Shelf<CheckedScheme>["damaged"];
  /** See `Shelf`; with ProfileError where the scheme is wrong. */
  readonly accept: (key: VerifyKey, envelope: Uint8Array, content: Uint8Array) => Promise<boolean>;
};

export const SCHEMES_MAX = 32;
/** What one message to a car may carry, and some room for its envelope. */
export const SCHEME_BYTES_MAX: number = 252 * 1024;

/** Never rejects for what is in the files; makes the folder where it is missing. */
export async function openSchemeShelf(options: SchemeShelfOptions): Promise<SchemeShelf> {
  const { dir, tenant, profile } = options;
  const shelf = await openShelf<CheckedScheme>({
    dir,
    tenant,
    kind: "scheme",
    namesMax: SCHEMES_MAX,
    bytesMax: SCHEME_BYTES_MAX,
    check: ({ name, version }, content) => {
      const checked = loadScheme(name, content, profile);
      if (checked.scheme.name !== name || checked.scheme.version !== version) {
        const message = `scheme ${name}: signed under another name or version`;
        throw new ProtocolError("malformed", message);
      }
      return checked;
    },
  });
  return {
    damaged: shelf.damaged,
    accept: shelf.accept,
    schemes: () => [
      ...[...shelf.kept().values()].map(({ checked }) => checked),
      ...shippedSchemes()
        .filter((name) => !shelf.kept().has(name))
        .map((name) => loadScheme(name, readShippedScheme(name), profile)),
    ],
  };
}
