/**
 * The profile pushed by the cloud for the car's model: the document and its DBCs in one artefact. It takes effect at
 * the agent's next start, as everything in the agent hangs on the profile, interlocks included, and none of that
 * should change under a car that is in use. The profile of the installation stays beneath it.
 */
import { decodeCbor, ProtocolError, type VerifyKey } from "@kerbside/protocol";
import { openShelf, type Shelf } from "../shelf.ts";
import type { CompiledProfile } from "./link.ts";
import { loadProfile } from "./load.ts";

export type ProfileShelf = {
  /** What the car is read by from this start on: the pushed one if it is newer than the installed one. */
  readonly profile: CompiledProfile;
  readonly damaged: Shelf<CompiledProfile>["damaged"];
  /** See `Shelf`; also `conflict` for what is not newer than the installed one, `forbidden` for another model. */
  readonly accept: (key: VerifyKey, envelope: Uint8Array, content: Uint8Array) => Promise<boolean>;
};

/** What one message to a car may carry, and some room for its envelope. */
export const PROFILE_BYTES_MAX: number = 252 * 1024;
const DBCS_MAX = 16;
const CONTENT_LIMITS = {
  bytesMax: PROFILE_BYTES_MAX,
  depthMax: 4,
  itemsMax: 2 * DBCS_MAX + 2,
  mapEntriesMax: 0,
  textBytesMax: 255,
};

/** Throws ProtocolError `malformed`, or ProfileError. */
export function unpackProfile(name: string, content: Uint8Array): CompiledProfile {
  const parts = decodeCbor(content, CONTENT_LIMITS);
  const [json, list, ...rest] = Array.isArray(parts) ? parts : [];
  if (!(json instanceof Uint8Array && Array.isArray(list)) || rest.length > 0) {
    throw new ProtocolError("malformed", "profile: expected a document and its DBCs");
  }
  const dbcs = new Map<string, Uint8Array>();
  for (let i = 0; i < list.length; i += 2) {
    const [file, bytes] = [list[i], list[i + 1]];
    if (typeof file !== "string" || !(bytes instanceof Uint8Array)) {
      throw new ProtocolError("malformed", "profile: expected names and bytes of DBCs in turn");
    }
    dbcs.set(file, bytes);
  }
  return loadProfile({ file: name, json, dbc: (file) => dbcs.get(file) });
}

/** Never rejects for what is in the files; makes the folder where it is missing. */
export async function openProfileShelf(options: {
  readonly dir: string;
  readonly tenant: string;
  /** Of the installation. */
  readonly installed: CompiledProfile;
}): Promise<ProfileShelf> {
  const { dir, tenant, installed } = options;
  const base = installed.profile;
  const shelf = await openShelf<CompiledProfile>({
    dir,
    tenant,
    kind: "profile",
    namesMax: 1,
    bytesMax: PROFILE_BYTES_MAX,
    check: ({ name, version }, content) => {
      if (name !== base.name) {
        throw new ProtocolError("forbidden", `profile ${name}: this car is a ${base.name}`);
      }
      if (version <= base.version) {
        const message = `profile ${name}: ${version} after the installed ${base.version}`;
        throw new ProtocolError("conflict", message);
      }
      const compiled = unpackProfile(name, content);
      if (compiled.profile.name === name && compiled.profile.version === version) return compiled;
      const message = `profile ${name}: signed under another name or version`;
      throw new ProtocolError("malformed", message);
    },
  });
  return {
    profile: shelf.kept().get(base.name)?.checked ?? installed,
    damaged: shelf.damaged,
    accept: shelf.accept,
  };
}
