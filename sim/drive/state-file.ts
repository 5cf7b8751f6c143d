/**
 * The car between two runs of the simulator: its state and the controller's memory in one JSON file, replaced as a
 * whole. The controller's record of a pulse is on the disk before the motor turns, as in the hardware it stands for.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { isObject } from "../car/fields.ts";
import type { Engine } from "../car/state.ts";
import { type Car, newCar } from "../car/state.ts";
import { type ControllerMemory, NEW_MEMORY } from "../lock/controller.ts";

const FORMAT = 1;
const FILE_BYTES_MAX = 64 * 1024;

export type Saved = { readonly car: Car; readonly memory: ControllerMemory };

/** The file is there and is not a saved car. */
export class StateFileError extends Error {
  override readonly name = "StateFileError";
}

/** Undefined where there is none. Throws StateFileError, naming the file and what is wrong. */
export function readState(path: string): Saved | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  const value = parse(path, text);
  const { car, memory, format, engine } = isObject(value) ? value : {};
  if (format !== FORMAT) throw new StateFileError(`${path}: format: expected ${FORMAT}`);
  const template = newCar(0);
  const { engine: _engine, ...rest } = template;
  const problem = unlike(rest, car, "car") ?? unlikeMemory(memory) ?? unlikeEngine(engine);
  if (problem !== undefined)
    throw new StateFileError(`${path}: ${problem}; delete it to begin with a new car`);
  return { car: { ...(car as Car), engine: engine as Engine }, memory: memory as ControllerMemory };
}

export function writeState(path: string, { car, memory }: Saved): void {
  const { engine, ...rest } = car;
  const text = `${JSON.stringify({ format: FORMAT, engine, memory, car: rest })}\n`;
  const fresh = `${path}.new`;
  const file = openSync(fresh, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isObject(error) && error["code"] === "ENOENT") return undefined;
    throw error;
  }
}

function parse(path: string, text: string): unknown {
  if (text.length > FILE_BYTES_MAX) throw new StateFileError(`${path}: too long for a saved car`);
  try {
    return JSON.parse(text);
  } catch {
    throw new StateFileError(`${path}: expected JSON; delete it to begin with a new car`);
  }
}

/** Where a value has another shape than the template: other fields, other types, or no finite number. */
function unlike(template: unknown, value: unknown, where: string): string | undefined {
  if (!isObject(template)) {
    const fits =
      typeof value === typeof template && (typeof value !== "number" || Number.isFinite(value));
    return fits ? undefined : `${where}: expected a ${typeof template}`;
  }
  if (!isObject(value)) return `${where}: expected an object`;
  const strange = Object.keys(value).find((name) => !Object.hasOwn(template, name));
  if (strange !== undefined) return `${where}.${strange}: unknown`;
  for (const [name, part] of Object.entries(template)) {
    const problem = unlike(part, value[name], `${where}.${name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function unlikeMemory(value: unknown): string | undefined {
  if (!isObject(value)) return "memory: expected an object";
  const { actuations, ...rest } = value;
  const { actuations: _actuations, ...template } = NEW_MEMORY;
  const { lastId, recent } = isObject(actuations) ? actuations : {};
  if (typeof lastId !== "number" || !Array.isArray(recent) || !recent.every(isObject)) {
    return "memory.actuations: expected lastId and recent";
  }
  return unlike(template, rest, "memory");
}

function unlikeEngine(value: unknown): string | undefined {
  if (!isObject(value)) return "engine: expected an object";
  const known = value["value"] === "off" || value["value"] === "running";
  const cranking = value["value"] === "cranking" && typeof value["sinceMs"] === "number";
  return known || cranking ? undefined : "engine: expected off, cranking or running";
}
