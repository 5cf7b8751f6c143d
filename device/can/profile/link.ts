/** A checked document and its DBCs to what the signal store runs on; every reference is resolved here. */
import { isSignalName, type SignalName } from "@kerbside/protocol";
import type { CompiledDbc, CompiledMessage, DbcSignal } from "../dbc/index.ts";
import { type Convert, converterOf } from "./convert.ts";
import type { ChecksumMethod, E2eRule } from "./e2e.ts";
import type { Dbc2Vss, Profile, ProfileProblem } from "./model.ts";

export type BoundLeaf = {
  readonly name: SignalName;
  /** Of the message's slots. */
  readonly slot: number;
  readonly convert: Convert;
  /** Whether `convert` gives every number back as it is. */
  readonly plain: boolean;
  readonly staleMs: number;
};

/** A leaf of text in pieces, each of up to 8 characters, from any messages. */
export type BoundText = {
  readonly name: SignalName;
  readonly staleMs: number;
  readonly pieces: readonly {
    readonly message: string;
    readonly slot: number;
    readonly bytes: number;
  }[];
};

export type BoundE2e = {
  readonly counter?: { readonly slot: number; readonly modulus: number };
  readonly checksum?: {
    readonly byte: number;
    readonly algorithm: ChecksumMethod;
    readonly dataId: number;
  };
};

export type BoundMessage = {
  readonly name: string;
  readonly compiled: CompiledMessage;
  readonly periodMs: number | undefined;
  readonly e2e: BoundE2e | undefined;
  readonly leaves: readonly BoundLeaf[];
};

/** What a car's frames mean. Messages that no leaf hangs on are not in it: their frames are passed over. */
export type CompiledProfile = {
  readonly profile: Profile;
  readonly dbc: CompiledDbc;
  readonly messages: readonly BoundMessage[];
  readonly texts: readonly BoundText[];
};

const STALE_INTERVALS = 5;
const STALE_MS_MIN = 250;
const TEXT_BYTES_MAX = 8;

export type Linked = {
  readonly compiled: CompiledProfile;
  readonly problems: readonly ProfileProblem[];
};

/** Whatever does not fit is a problem; a profile with an error among them must not be used. */
export function linkProfile(file: string, profile: Profile, dbc: CompiledDbc): Linked {
  const linker = new Linker(file, profile, dbc);
  return { compiled: linker.link(), problems: linker.problems };
}

class Linker {
  readonly problems: ProfileProblem[] = [];
  readonly #file: string;
  readonly #profile: Profile;
  readonly #dbc: CompiledDbc;
  readonly #leaves = new Map<CompiledMessage, BoundLeaf[]>();
  readonly #texts: BoundText[] = [];

  constructor(file: string, profile: Profile, dbc: CompiledDbc) {
    this.#file = file;
    this.#profile = profile;
    this.#dbc = dbc;
  }

  link(): CompiledProfile {
    for (const [name, signal] of Object.entries(this.#profile.signals)) {
      if (isSignalName(name)) this.#signal(name, signal.dbc2vss, `/signals/${name}/dbc2vss`);
    }
    for (const name of Object.keys(this.#profile.messages)) {
      const message = this.#dbc.named(name);
      if (message === undefined) this.#error(`/messages/${name}`, "no DBC has this message");
      else if (!this.#leaves.has(message)) this.#leaves.set(message, []);
    }
    const messages = [...this.#leaves].map(([compiled, leaves]): BoundMessage => {
      const { name, cycleTimeMs } = compiled.message;
      const rule = this.#profile.messages[name];
      return {
        name,
        compiled,
        periodMs: rule?.periodMs ?? cycleTimeMs ?? undefined,
        e2e: rule?.e2e === undefined ? undefined : this.#e2e(compiled, rule.e2e),
        leaves,
      };
    });
    return { profile: this.#profile, dbc: this.#dbc, messages, texts: this.#texts };
  }

  #error(path: string, message: string): void {
    this.problems.push({ file: this.#file, path, severity: "error", message });
  }

  #signal(name: SignalName, rule: Dbc2Vss, path: string): void {
    const staleMs = rule.stale_ms ?? Math.max(STALE_MS_MIN, STALE_INTERVALS * rule.interval_ms);
    if ((rule.signal === undefined) === (rule.text === undefined)) {
      this.#error(path, 'expected either "signal" or "text"');
    } else if (rule.signal !== undefined) {
      const found = this.#find(rule.signal, `${path}/signal`);
      if (found === undefined) return;
      const { message, slot } = found;
      const { convert, plain, problems } = converterOf(name, rule, message, slot);
      for (const problem of problems) this.#error(path + problem.path, problem.message);
      this.#leavesOf(message).push({ name, slot, convert, plain, staleMs });
    } else this.#text(name, rule, staleMs, path);
  }

  #text(name: SignalName, rule: Dbc2Vss, staleMs: number, path: string): void {
    const pieces: { message: string; slot: number; bytes: number }[] = [];
    for (const [i, qualified] of (rule.text ?? []).entries()) {
      const found = this.#find(qualified, `${path}/text/${i}`);
      if (found === undefined) continue;
      const { length, float } = found.signal;
      if (float || length % 8 !== 0 || length > TEXT_BYTES_MAX * 8) {
        this.#error(`${path}/text/${i}`, `expected whole bytes, at most ${TEXT_BYTES_MAX}`);
      }
      this.#leavesOf(found.message);
      pieces.push({ message: found.message.message.name, slot: found.slot, bytes: length / 8 });
    }
    if (rule.transform !== undefined || rule.unknown !== undefined) {
      this.#error(path, '"text" has no transform and no unknown codes');
    }
    this.#texts.push({ name, staleMs, pieces });
  }

  #leavesOf(message: CompiledMessage): BoundLeaf[] {
    const leaves = this.#leaves.get(message) ?? [];
    this.#leaves.set(message, leaves);
    return leaves;
  }

  #find(
    qualified: string,
    path: string,
  ): { message: CompiledMessage; slot: number; signal: DbcSignal } | undefined {
    const [messageName = "", signalName = ""] = qualified.split(".");
    const message = this.#dbc.named(messageName);
    if (message === undefined) {
      this.#error(path, `no DBC has a message ${messageName}`);
      return undefined;
    }
    const slot = message.slotOf(signalName);
    const signal = message.message.signals[slot];
    if (signal === undefined) {
      this.#error(path, `${messageName} has no signal ${signalName}`);
      return undefined;
    }
    return { message, slot, signal };
  }

  #e2e(message: CompiledMessage, rule: E2eRule): BoundE2e {
    const { name } = message.message;
    const path = `/messages/${name}/e2e`;
    const counter =
      rule.counter && this.#find(`${name}.${rule.counter.signal}`, `${path}/counter/signal`);
    const checksum =
      rule.checksum && this.#find(`${name}.${rule.checksum.signal}`, `${path}/checksum/signal`);
    if (counter !== undefined && rule.counter !== undefined) {
      const { length, scale, offset, mux } = counter.signal;
      if (rule.counter.modulus > 2 ** length || scale !== 1 || offset !== 0 || mux !== null) {
        const expected = `a plain unsigned signal that can hold ${rule.counter.modulus - 1}`;
        this.#error(`${path}/counter/signal`, `expected ${expected}`);
      }
    }
    const byte = checksum === undefined ? undefined : byteOf(checksum.signal);
    if (checksum !== undefined && byte === undefined) {
      this.#error(`${path}/checksum/signal`, "expected a signal that fills one byte of its own");
    }
    return {
      ...(counter && rule.counter
        ? { counter: { slot: counter.slot, modulus: rule.counter.modulus } }
        : {}),
      ...(byte !== undefined && rule.checksum ? { checksum: { ...rule.checksum, byte } } : {}),
    };
  }
}

/** The byte that a signal fills whole, or undefined. */
function byteOf({ start, length, bigEndian }: DbcSignal): number | undefined {
  const first = bigEndian ? 7 : 0;
  return length === 8 && (start & 7) === first ? start >> 3 : undefined;
}
