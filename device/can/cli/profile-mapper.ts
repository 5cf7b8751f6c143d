/** Frames to the VSS signals of a profile, each frame for itself: what `--profile` prints. */
import { type SignalName, type SignalValue, signalValueError } from "@kerbside/protocol";
import { DECODED_ALL, DECODED_NONE } from "../dbc/index.ts";
import type { CanFrame } from "../frame.ts";
import {
  type BoundMessage,
  type CompiledProfile,
  formatProfileProblem,
  ProfileError,
  readProfile,
  readShippedProfile,
  shippedProfiles,
} from "../profile/index.ts";
import { checksumHolds } from "../store/receive.ts";
import { TextAssembler } from "../store/texts.ts";
import { InputError } from "./io.ts";

export type MappedFrame = {
  readonly message: string;
  /** Null: a fault code, "not available", out of range, or a frame whose checksum is wrong. */
  readonly signals: readonly (readonly [SignalName, SignalValue | null])[];
};

/** Null for a frame that no signal of the profile comes from. */
export type ProfileMapper = (frame: CanFrame) => MappedFrame | null;

/** Throws InputError, naming file, place and reason. */
export function openProfileMapper(nameOrPath: string): ProfileMapper {
  try {
    const shipped = shippedProfiles().includes(nameOrPath);
    return mapperOf(shipped ? readShippedProfile(nameOrPath) : readProfile(nameOrPath));
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    throw new InputError(error.problems.map(formatProfileProblem).join("\n"));
  }
}

function mapperOf(profile: CompiledProfile): ProfileMapper {
  const bound = new Map(profile.messages.map((message) => [message.compiled, message]));
  const texts = profile.texts.map((rule) => new TextAssembler(rule));
  const most = Math.max(0, ...profile.messages.map((m) => m.compiled.slotCount));
  const slots = new Float64Array(most);
  const present = new Uint8Array(most);
  return (frame) => {
    const compiled = profile.dbc.find(frame.id, frame.ext);
    const message = compiled === undefined ? undefined : bound.get(compiled);
    if (message === undefined) return null;
    const status = message.compiled.decodeInto(frame.data, slots, 0, present);
    const trusted = status !== DECODED_NONE && checksumHolds(message, frame.data);
    const signals: (readonly [SignalName, SignalValue | null])[] = [];
    for (const { name, slot, convert } of message.leaves) {
      if (trusted && status !== DECODED_ALL && present[slot] === 0) continue;
      const value = trusted ? convert(slots[slot] ?? Number.NaN) : undefined;
      const sound = value !== undefined && signalValueError(name, value) === undefined;
      signals.push([name, sound ? value : null]);
    }
    if (trusted) signals.push(...wholeTexts(texts, message, frame.data));
    return { message: message.name, signals };
  };
}

/** A text is printed with the frame that completes it. */
function* wholeTexts(
  texts: readonly TextAssembler[],
  message: BoundMessage,
  data: Uint8Array,
): Generator<readonly [SignalName, SignalValue | null]> {
  for (const text of texts) {
    if (text.take(message, data)) yield [text.rule.name, text.value ?? null];
  }
}
