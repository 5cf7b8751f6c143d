/** The control units of the car: they turn its state into frames, each message at its own period. */
import {
  type BoundMessage,
  type CompiledProfile,
  type EncodeValues,
  type Profile,
  readProfile,
  readShippedProfile,
  stampE2e,
} from "@kerbside/can";
import type { Route } from "../car/route.ts";
import type { Car } from "../car/state.ts";
import { type Spoken, speakBy } from "./any-profile.ts";
import { SPOKEN } from "./signals.ts";

export const PROFILE_NAME = "kerbside-sim";

export type SpokenFrame = {
  readonly message: string;
  readonly id: number;
  readonly ext: boolean;
  /** The values of the message's selectors, by which frames of one message differ in what they say; else empty. */
  readonly page: string;
  readonly data: Uint8Array;
};

type Said = { readonly values: EncodeValues; readonly data: Uint8Array; readonly page: string };

type Unit = Spoken & {
  /** Messages of one period do not come in one burst. */
  readonly phaseMs: number;
  /** Signals that decide which others are there. */
  readonly selectors: readonly string[];
  /** The last values of each set of names, and what they were made into, before counter and checksum. */
  readonly said: Said[];
};

export type ReadSignal = {
  readonly name: string;
  readonly value: number | string;
  readonly unit: string;
};

export type ControlUnits = {
  /** Of the car that the profile describes. */
  readonly powertrain: Profile["powertrain"];
  /** The frames due after `fromMs` and up to `toMs` of the car's time. `car` is the car at `toMs`. */
  readonly due: (car: Car, fromMs: number, toMs: number) => readonly SpokenFrame[];
  /** What a frame of this bus says, for displays: words where the DBC has some for a value. */
  readonly read: (frame: Pick<SpokenFrame, "id" | "ext" | "data">) => readonly ReadSignal[];
};

/**
 * Of one car, by a profile: a shipped one's name, or a file. The simulator's own says more than any profile binds.
 * Throws ProfileError, or RangeError if the profile does not fit what the car says.
 */
export function createControlUnits(route: Route, name: string = PROFILE_NAME): ControlUnits {
  const profile = name.endsWith(".json") ? readProfile(name) : readShippedProfile(name);
  const spoken = name === PROFILE_NAME ? ownUnits(profile) : speakBy(profile);
  const units = spoken.map(
    (one, index): Unit => ({
      ...one,
      phaseMs: (index * 3) % one.periodMs,
      selectors: selectorsOf(one),
      said: [],
    }),
  );
  return {
    powertrain: profile.profile.powertrain,
    due: (car, fromMs, toMs) => {
      const frames: SpokenFrame[] = [];
      for (const unit of units) addDue(frames, unit, car, route, fromMs, toMs);
      return frames;
    },
    read: (frame) => readFrame(profile, frame),
  };
}

function ownUnits(profile: CompiledProfile): readonly Spoken[] {
  return profile.dbc.messages.map((compiled): Spoken => {
    const { name, cycleTimeMs } = compiled.message;
    const periodMs = profile.profile.messages[name]?.periodMs ?? cycleTimeMs;
    const say = SPOKEN[name];
    if (periodMs === null || periodMs <= 0 || say === undefined) {
      throw new RangeError(
        `${PROFILE_NAME}: ${name} has no period, or the car does not know what to say in it`,
      );
    }
    return { message: boundOf(profile, name), periodMs, say };
  });
}

function selectorsOf({ message }: Spoken): readonly string[] {
  const parents = message.compiled.message.signals.map(({ mux }) => mux?.parent ?? "");
  return [...new Set(parents)].filter((name) => name !== "");
}

function addDue(
  frames: SpokenFrame[],
  unit: Unit,
  car: Car,
  route: Route,
  fromMs: number,
  toMs: number,
): void {
  const { periodMs, phaseMs, message } = unit;
  const last = Math.floor((toMs - phaseMs) / periodMs);
  const first = Math.floor((fromMs - phaseMs) / periodMs) + 1;
  for (let count = Math.max(0, first); count <= last; count += 1) {
    const { name, id, ext } = message.compiled.message;
    const said = saidOf(unit, unit.say(car, route, count));
    const data = said.data.slice();
    stampE2e(message, data, count);
    frames.push({ message: name, id, ext, page: said.page, data });
  }
}

/**
 * The bytes of values, before counter and checksum. Most frames say what the one before said (of multiplexed messages,
 * what it said on this page), and are not made anew.
 */
function saidOf({ message, selectors, said }: Unit, values: EncodeValues): Said {
  let at = 0;
  for (const before of said) {
    const likeness = compare(before.values, values);
    if (likeness === "same") return before;
    if (likeness === "other values") break;
    at += 1;
  }
  const data = message.compiled.encode(values);
  const raws = selectors.length === 0 ? {} : message.compiled.decodeRaw(data);
  const now: Said = { values, data, page: selectors.map((name) => String(raws?.[name])).join() };
  said[at] = now;
  return now;
}

function compare(one: EncodeValues, other: EncodeValues): "same" | "other values" | "other names" {
  let names = 0;
  let differ = 0;
  for (const name in one) {
    const value = other[name];
    if (value === undefined) return "other names";
    if (value !== one[name]) differ += 1;
    names += 1;
  }
  for (const _ in other) names -= 1;
  if (names !== 0) return "other names";
  return differ === 0 ? "same" : "other values";
}

function readFrame(
  profile: CompiledProfile,
  { id, ext, data }: Pick<SpokenFrame, "id" | "ext" | "data">,
): readonly ReadSignal[] {
  const message = profile.dbc.find(id, ext);
  const values = message?.decode(data) ?? {};
  const raws = message?.decodeRaw(data) ?? {};
  return (message?.message.signals ?? []).flatMap(({ name, unit, choices }) => {
    const value = values[name];
    const raw = raws[name];
    if (value === undefined || raw === undefined) return [];
    const word = choices.get(raw);
    return [word === undefined ? { name, value, unit } : { name, value: word, unit: "" }];
  });
}

/** A message as the profile binds it, or by its rule alone where no signal hangs on it. */
function boundOf(profile: CompiledProfile, name: string): BoundMessage {
  const bound = profile.messages.find((message) => message.name === name);
  if (bound !== undefined) return bound;
  const compiled = profile.dbc.named(name);
  if (compiled === undefined) throw new RangeError(`${PROFILE_NAME}: no message ${name}`);
  const { counter, checksum } = profile.profile.messages[name]?.e2e ?? {};
  const byte = compiled.message.signals.find((signal) => signal.name === checksum?.signal)?.start;
  return {
    name,
    compiled,
    periodMs: undefined,
    leaves: [],
    e2e: {
      ...(counter && {
        counter: { slot: compiled.slotOf(counter.signal), modulus: counter.modulus },
      }),
      ...(checksum && byte !== undefined && { checksum: { ...checksum, byte: byte >> 3 } }),
    },
  };
}
