/** Reads the golden vectors of protocol.md, which says how they are written. */
import { readFileSync } from "node:fs";
import { fromHex } from "@kerbside/protocol";

const page = new URL("../../../shared/protocol/protocol.md", import.meta.url);

export type Vector = {
  readonly names: readonly string[];
  readonly text: (name: string) => string;
  readonly hex: (name: string) => Uint8Array;
  /** A JSON value, in which texts `h'…'` have become bytes. */
  readonly json: (name: string) => unknown;
};

function revive(_: string, value: unknown): unknown {
  const bytes = typeof value === "string" ? /^h'([0-9a-f]*)'$/.exec(value)?.[1] : undefined;
  return bytes === undefined ? value : fromHex(bytes);
}

function parse(block: string): Vector {
  const lines = block.replaceAll("\n  ", "").trim().split("\n");
  const values = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(": ");
      if (colon < 0) throw new Error(`vector: expected "name: value", found ${line}`);
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  const text = (name: string): string => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`vector: no ${name} among ${[...values.keys()]}`);
    return value;
  };
  return {
    names: [...values.keys()],
    text,
    hex: (name) => fromHex(text(name)),
    json: (name) => JSON.parse(text(name), revive),
  };
}

const blocks: ReadonlyMap<string, Vector> = new Map(
  [...readFileSync(page, "utf8").matchAll(/^```vector (\S+)\n(.*?)^```$/gms)].map(
    ([, name = "", block = ""]) => [name, parse(block)],
  ),
);

export const vectorNames: readonly string[] = [...blocks.keys()];

export function vector(name: string): Vector {
  const found = blocks.get(name);
  if (found === undefined) throw new Error(`protocol.md: no vector ${name}`);
  return found;
}
