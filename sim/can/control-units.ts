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
  /** The last values for each set of names, and what they were made into, before counter and checksum. */
  readonly said: Map<string, Said>;
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
      said: new Map(),
    }),
  );
  return {
    powertrain: profile.profile.powertrain,
    due: (car, fromMs, toMs) => units.flatMap((unit) => dueOf(unit, car, route, fromMs, toMs)),
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

function dueOf(
  unit: Unit,
  car: Car,
  route: Route,
  fromMs: number,
  toMs: number,
): readonly SpokenFrame[] {
  const { periodMs, phaseMs, message } = unit;
  const first = Math.floor((fromMs - phaseMs) / periodMs) + 1;
  const last = Math.floor((toMs - phaseMs) / periodMs);
  const frames: SpokenFrame[] = [];
  for (let count = Math.max(0, first); count <= last; count += 1) {
    const { name, id, ext } = message.compiled.message;
    const { data, page } = encoded(unit, unit.say(car, route, count));
    stampE2e(message, data, count);
    frames.push({ message: name, id, ext, page, data });
  }
  return frames;
}

/** A fresh frame; most say what the one before said (of multiplexed messages, what it said on this page). */
function encoded(
  { message, selectors, said }: Unit,
  values: EncodeValues,
): Pick<SpokenFrame, "data" | "page"> {
  const names = Object.keys(values).join();
  let now = said.get(names);
  if (now === undefined || !isSame(now.values, values)) {
    const data = message.compiled.encode(values);
    const raws = selectors.length === 0 ? {} : message.compiled.decodeRaw(data);
    now = { values, data, page: selectors.map((name) => String(raws?.[name])).join() };
    said.set(names, now);
  }
  return { data: now.data.slice(), page: now.page };
}

function isSame(one: EncodeValues, other: EncodeValues): boolean {
  for (const name in one) if (one[name] !== other[name]) return false;
  return true;
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
