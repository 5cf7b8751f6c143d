/** What the car around it does to a module: its supply, its clock, its disk. The two ends speak JSON lines. */
import { isObject } from "../car/fields.ts";

export type Orders = {
  readonly power: "on" | "off";
  /** How far its own clock is off; taken up when it starts. */
  readonly clockOffsetMs: number;
  readonly diskFull: boolean;
};
export const FINE: Orders = { power: "on", clockOffsetMs: 0, diskFull: false };

export type ModuleState = {
  readonly running: boolean;
  readonly starts: number;
  /** What it could not do, in words. */
  readonly problem: string | null;
};

/** Undefined for a line that is none. */
export function readOrders(line: string): Orders | undefined {
  const said = parse(line);
  const { power, clockOffsetMs, diskFull } = said ?? {};
  if (power !== "on" && power !== "off") return undefined;
  if (typeof clockOffsetMs !== "number" || typeof diskFull !== "boolean") return undefined;
  return { power, clockOffsetMs, diskFull };
}

export function readModuleState(line: string): ModuleState | undefined {
  const { running, starts, problem } = parse(line) ?? {};
  if (typeof running !== "boolean" || typeof starts !== "number") return undefined;
  return { running, starts, problem: typeof problem === "string" ? problem : null };
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const said: unknown = JSON.parse(line);
    return isObject(said) ? said : undefined;
  } catch {
    return undefined;
  }
}
