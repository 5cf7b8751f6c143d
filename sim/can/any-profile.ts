/**
 * A car that speaks by any profile: each message that the profile binds, with the values that its own rules would read
 * back as what the car is. A rule is turned round by trying it: exactly where a signal is narrow, by its slope where it
 * is wide. What the car does not know goes out as the signal's own code for that, where it has one.
 */
import type { BoundLeaf, BoundMessage, CompiledProfile, EncodeValues } from "@kerbside/can";
import type { SignalValue } from "@kerbside/protocol";
import type { Route } from "../car/route.ts";
import type { Car } from "../car/state.ts";
import { VSS } from "./vss.ts";

/** Signals up to this many bits are tried out whole. */
const TRIED_BITS_MAX = 12;
const PERIOD_MS_DEFAULT = 100;

/** A value for the bus: physical, or one that means that the car does not know. */
type Turn = (value: SignalValue | undefined) => number | undefined;

export type Spoken = {
  readonly message: BoundMessage;
  readonly periodMs: number;
  /** `count`: how often the message was sent before; multiplexed messages turn their pages by it. */
  readonly say: (car: Car, route: Route, count: number) => EncodeValues;
};

export function speakBy(profile: CompiledProfile): readonly Spoken[] {
  return profile.messages.map((message) => {
    const pages = pagesOf(profile, message);
    return {
      message,
      periodMs: message.periodMs ?? PERIOD_MS_DEFAULT,
      say: (car, route, count) => pages[count % Math.max(1, pages.length)]?.(car, route) ?? {},
    };
  });
}

type Page = (car: Car, route: Route) => EncodeValues;
type Part = { readonly page: number; readonly name: string; readonly value: Say };
type Say = (car: Car, route: Route) => number | bigint | undefined;

/** The signals of a message by what its selector must be for them; those without one go with every page. */
function pagesOf(profile: CompiledProfile, message: BoundMessage): readonly Page[] {
  const parts = [
    ...message.leaves.map((leaf) => leafPart(message, leaf)),
    ...textParts(profile, message),
  ];
  const numbers = [...new Set(parts.map(({ page }) => page))].filter((page) => page >= 0);
  const pages = numbers.length === 0 ? [-1] : numbers;
  return pages.map((page) => {
    const own = parts.filter((part) => part.page === page || part.page < 0);
    return (car, route) => {
      const said: Record<string, number | bigint> = {};
      for (const { name, value } of own) {
        const one = value(car, route);
        if (one !== undefined) said[name] = one;
      }
      return said;
    };
  });
}

function pageOf(message: BoundMessage, slot: number): number {
  const ranges = message.compiled.message.signals[slot]?.mux?.ranges ?? [];
  return ranges.length === 0 ? -1 : Math.min(...ranges.map(({ from }) => Number(from)));
}

function leafPart(message: BoundMessage, leaf: BoundLeaf): Part {
  const turn = turned(message, leaf);
  const name = message.compiled.message.signals[leaf.slot]?.name ?? "";
  const tell = VSS[leaf.name];
  return {
    page: pageOf(message, leaf.slot),
    name,
    value: (car, route) => turn(tell?.(car, route)),
  };
}

function turned(message: BoundMessage, { slot, convert, plain }: BoundLeaf): Turn {
  const signal = message.compiled.message.signals[slot];
  if (signal === undefined) return () => undefined;
  if (signal.float || signal.length > TRIED_BITS_MAX) return bySlope(convert, plain);
  const half = 2 ** (signal.length - 1);
  const [from, to] = signal.signed ? [-half, half - 1] : [0, 2 * half - 1];
  const words = new Map<SignalValue, number>();
  const numbers: { readonly value: number; readonly physical: number }[] = [];
  let unknown: number | undefined;
  for (let raw = from; raw <= to; raw += 1) {
    const physical = message.compiled.physicalOf(slot, raw);
    const value = convert(physical);
    if (value === undefined) unknown ??= physical;
    else if (typeof value === "number") numbers.push({ value, physical });
    else if (!words.has(value)) words.set(value, physical);
  }
  numbers.sort((a, b) => a.value - b.value);
  return (value) => {
    if (value === undefined) return unknown;
    return typeof value === "number" ? nearest(numbers, value) : words.get(value);
  };
}

function nearest(
  numbers: readonly { readonly value: number; readonly physical: number }[],
  wanted: number,
): number | undefined {
  let [low, high] = [0, numbers.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle]?.value ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  const [before, at] = [numbers[low - 1], numbers[low]];
  if (before === undefined || at === undefined) return at?.physical;
  return wanted - before.value < at.value - wanted ? before.physical : at.physical;
}

/** For what is wide: rules over such signals are proportions. */
function bySlope(convert: BoundLeaf["convert"], plain: boolean): Turn {
  const [zero, one] = [convert(0), convert(1)];
  return (value) => {
    if (typeof value === "boolean") return value === convert(1) ? 1 : 0;
    if (typeof value !== "number") return undefined;
    if (plain || typeof zero !== "number" || typeof one !== "number" || one === zero) return value;
    return (value - zero) / (one - zero);
  };
}

/** Pieces of texts, the first character in the highest byte. */
function textParts(profile: CompiledProfile, message: BoundMessage): readonly Part[] {
  return profile.texts.flatMap(({ name, pieces }) => {
    let at = 0;
    return pieces.flatMap((piece) => {
      const from = at;
      at += piece.bytes;
      if (piece.message !== message.compiled.message.name) return [];
      const signal = message.compiled.message.signals[piece.slot]?.name ?? "";
      const value: Say = (car, route) => {
        const text = VSS[name]?.(car, route);
        if (typeof text !== "string") return undefined;
        const part = text.slice(from, from + piece.bytes).padEnd(piece.bytes);
        return BigInt(`0x${Buffer.from(part, "latin1").toString("hex")}`);
      };
      return [{ page: pageOf(message, piece.slot), name: signal, value }];
    });
  });
}
