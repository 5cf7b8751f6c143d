/**
 * The grant list in force: complete, of a version that only rises, in effect as a whole or not at all. What is on the
 * disk is the signed list as it came, unsealed: it lies beside the keys of lock and reader and needs no less.
 */
import {
  type Address,
  decode,
  equalBytes,
  type GrantList,
  grantListCodec,
  type Log,
  openGrantList,
  ProtocolError,
  parseSign1,
  unsealGrantList,
  type VerifyKey,
} from "@kerbside/protocol";
import type { KeptFile } from "./kept-file.ts";

export type GrantStoreOptions = {
  readonly address: Address;
  /** Seed of the car's signing key: lists are sealed to its other form. */
  readonly seed: Uint8Array;
  /** The tenant's grant key in force; undefined where the car was given none. */
  readonly grantKey: () => VerifyKey | undefined;
  readonly file: KeptFile;
  readonly log: Log;
};

export type GrantsApplied =
  /** `durable`: it is on the disk, and may be confirmed. Otherwise it counts until the power goes. */
  | { readonly kind: "applied"; readonly version: number; readonly durable: boolean }
  | { readonly kind: "unchanged"; readonly version: number }
  | {
      readonly kind: "refused";
      readonly reason:
        | "no_key"
        | "malformed"
        | "unauthenticated"
        | "other_car"
        /** Below the version in force: somebody replays, or the cloud has lost its memory. */
        | "old"
        /** Another list of the version in force. */
        | "conflict";
    };

const NOTHING: Uint8Array = new Uint8Array();

export class GrantStore {
  readonly #options: GrantStoreOptions;
  #envelope: Uint8Array = NOTHING;
  #list: GrantList | undefined;
  #confirmed = 0;
  #last: Promise<unknown> = Promise.resolve();
  /** There was a list and it could not be read. A new one of any version is taken then. */
  readonly damaged: boolean;

  constructor(options: GrantStoreOptions) {
    this.#options = options;
    const { content, damaged } = options.file;
    const stored = content === undefined ? undefined : readStored(content);
    this.damaged = damaged || (content !== undefined && stored === undefined);
    if (content === undefined || stored === undefined) return;
    this.#envelope = content;
    this.#list = stored;
    this.#confirmed = stored.version;
  }

  /** The list in force, if there ever was one. */
  list(): GrantList | undefined {
    return this.#list;
  }

  /** The version in force, 0 for none: what carried grants are held against. */
  version(): number {
    return this.#list?.version ?? 0;
  }

  /** The version that the car may confirm: in force, and on the disk. */
  confirmedVersion(): number {
    return this.#confirmed;
  }

  /** Takes a sealed list. Authenticates before anything changes; one list after the other. Never rejects. */
  apply(sealed: Uint8Array): Promise<GrantsApplied> {
    const applied = this.#last.then(() => this.#apply(sealed));
    this.#last = applied;
    return applied;
  }

  async #apply(sealed: Uint8Array): Promise<GrantsApplied> {
    const { address, log } = this.#options;
    const opened = this.#open(sealed);
    if (typeof opened === "string") return refused(opened, log);
    const { envelope, list } = opened;
    if (list.tenant !== address.tenant || list.vehicle !== address.vehicle)
      return refused("other_car", log);
    const version = this.version();
    if (list.version < version) return refused("old", log);
    if (list.version === version && this.#list !== undefined) {
      if (!equalBytes(envelope, this.#envelope)) return refused("conflict", log);
      if (this.#confirmed === version) return { kind: "unchanged", version };
    }
    // What was taken away is gone at once, also where the disk fails; only the receipt waits for the disk.
    this.#list = list;
    this.#envelope = envelope;
    const durable = await this.#keep(envelope);
    if (durable) this.#confirmed = list.version;
    return { kind: "applied", version: list.version, durable };
  }

  async #keep(envelope: Uint8Array): Promise<boolean> {
    try {
      await this.#options.file.write(envelope);
      return true;
    } catch {
      this.#options.log.error("grants.not_kept", {});
      return false;
    }
  }

  #open(
    sealed: Uint8Array,
  ):
    | { readonly envelope: Uint8Array; readonly list: GrantList }
    | "no_key"
    | "malformed"
    | "unauthenticated" {
    const key = this.#options.grantKey();
    if (key === undefined) return "no_key";
    try {
      const envelope = unsealGrantList(this.#options.seed, sealed);
      return { envelope, list: openGrantList(key, envelope) };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code === "unauthenticated" ? "unauthenticated" : "malformed";
    }
  }
}

type Refusal = Extract<GrantsApplied, { kind: "refused" }>["reason"];

function refused(reason: Refusal, log: Log): GrantsApplied {
  log.warn("grants.refused", { reason });
  return { kind: "refused", reason };
}

/** Its signature was checked when it came; the key that made it may have been replaced since. */
export function readStored(envelope: Uint8Array): GrantList | undefined {
  try {
    return decode(grantListCodec, parseSign1(envelope).payload);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
