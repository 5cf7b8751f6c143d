/**
 * One schema gives the codec, the TypeScript type and the documentation of whatever crosses a wire.
 * Structures travel as CBOR maps with small unsigned keys (RFC 8949 §4.2.1 deterministic); a field that
 * the schema does not know, or that lies outside its bounds, is refused with the path to it.
 */
import { type CborLimits, type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { ProtocolError } from "./errors.ts";

/** P-20. Where a field may be stored and who may see it. */
export const DATA_CLASSES = ["Public", "Internal", "Confidential", "Restricted"] as const;
export type DataClass = (typeof DATA_CLASSES)[number];

/** P-20. PPI identifies a person, GEO is a geolocation, SPI is personal for as long as PPI of that person is held. */
export type PersonalTag = "PPI" | "GEO" | "SPI";

/** What the schema says of a field besides its codec. */
export type FieldMeta = {
  readonly class: DataClass;
  readonly tag?: PersonalTag;
  /** The unit, as in a table of COVESA VSS or UCUM. */
  readonly unit?: string;
  readonly doc: string;
};

/** Turns a value into CBOR and back. `where` is the path of the value, for errors. */
export type Codec<T> = {
  readonly describe: string;
  // Methods, not properties: so a codec of anything may stand where a Codec<unknown> is walked over.
  toCbor(value: T, where: string): CborValue;
  fromCbor(value: CborValue, where: string): T;
  /** Set on structures: what the documentation and the class checks walk over. */
  readonly fields?: Readonly<Record<string, Field<unknown, boolean>>>;
  /** Set on lists: the codec of an item. */
  readonly item?: Codec<unknown>;
};

export type Field<T, Optional extends boolean> = FieldMeta & {
  readonly key: number;
  readonly codec: Codec<T>;
  readonly optional: Optional;
};

type Shape = Readonly<Record<string, Field<unknown, boolean>>>;
type ValueOf<F> = F extends {
  readonly codec: { readonly fromCbor: (v: CborValue, w: string) => infer T };
}
  ? T
  : never;
type OptionalKeys<S extends Shape> = {
  [K in keyof S]: S[K] extends { readonly optional: true } ? K : never;
}[keyof S];
type StructOf<S extends Shape> = {
  readonly [K in Exclude<keyof S, OptionalKeys<S>>]: ValueOf<S[K]>;
} & { readonly [K in OptionalKeys<S>]?: ValueOf<S[K]> };

/** The TypeScript type of what a codec reads. */
export type TypeOf<C> = C extends { readonly fromCbor: (v: CborValue, w: string) => infer T }
  ? T
  : never;

/** A field that must be there. */
export function field<T>(key: number, codec: Codec<T>, meta: FieldMeta): Field<T, false> {
  return { ...meta, key, codec, optional: false };
}

/** A field that may be left out. */
export function optional<T>(key: number, codec: Codec<T>, meta: FieldMeta): Field<T, true> {
  return { ...meta, key, codec, optional: true };
}

function fail(where: string, expected: string): never {
  throw new ProtocolError("malformed", `${where}: expected ${expected}`);
}

function scalar<T extends CborValue>(
  describe: string,
  is: (value: unknown) => value is T,
): Codec<T> {
  const check = (value: unknown, where: string): T => (is(value) ? value : fail(where, describe));
  return { describe, toCbor: check, fromCbor: check };
}

/** An integer within [min, max]; both at most 2^53 − 1 in size. */
export function integer(min: number, max: number): Codec<number> {
  return scalar(
    `integer ${min} to ${max}`,
    (v): v is number => Number.isSafeInteger(v) && (v as number) >= min && (v as number) <= max,
  );
}

/** An unsigned integer up to `max` (default 2^53 − 1). */
export function uint(max: number = Number.MAX_SAFE_INTEGER): Codec<number> {
  return integer(0, max);
}

/** A finite number within [min, max]. */
export function real(min: number, max: number): Codec<number> {
  return scalar(
    `number ${min} to ${max}`,
    (v): v is number => typeof v === "number" && v >= min && v <= max,
  );
}

export const bool: Codec<boolean> = scalar("true or false", (v) => typeof v === "boolean");

/** UTF-8 text of at most `max` UTF-16 units, by pattern where one is given. */
export function text(max: number, pattern?: RegExp): Codec<string> {
  const describe = pattern === undefined ? `text of at most ${max}` : `text like ${pattern.source}`;
  return scalar(
    describe,
    (v): v is string =>
      typeof v === "string" && v.length <= max && (pattern === undefined || pattern.test(v)),
  );
}

/** Bytes, `min` to `max` of them (`bytes(16)`: just 16). */
export function bytes(min: number, max: number = min): Codec<Uint8Array> {
  const describe = min === max ? `${min} bytes` : `${min} to ${max} bytes`;
  return scalar(
    describe,
    (v): v is Uint8Array => v instanceof Uint8Array && v.length >= min && v.length <= max,
  );
}

/** One of some names; travels as its place in the list, so names are only ever appended. */
export function choice<const N extends readonly string[]>(names: N): Codec<N[number]> {
  const describe = names.map((name, i) => `${i} ${name}`).join(", ");
  return {
    describe,
    toCbor: (value, where) => {
      const at = names.indexOf(value);
      return at >= 0 ? at : fail(where, `one of ${names.join(", ")}`);
    },
    fromCbor: (value, where) =>
      (typeof value === "number" ? names[value] : undefined) ?? fail(where, `one of ${describe}`),
  };
}

/** A list of at most `max` items. */
export function list<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  const describe = `list of at most ${max} × (${item.describe})`;
  return {
    describe,
    item,
    toCbor: (value, where) => {
      if (value.length > max) fail(where, describe);
      return value.map((v, i) => item.toCbor(v, `${where}[${i}]`));
    },
    fromCbor: (value, where) => {
      if (!Array.isArray(value) || value.length > max) return fail(where, describe);
      return value.map((v: CborValue, i) => item.fromCbor(v, `${where}[${i}]`));
    },
  };
}

/** A structure: a CBOR map from small unsigned keys to the fields. Keys must be unique. */
export function struct<const S extends Shape>(describe: string, shape: S): Codec<StructOf<S>> {
  const fields: Shape = shape;
  const byKey = new Map<number, readonly [string, Field<unknown, boolean>]>();
  const entries = Object.entries(fields);
  for (const entry of entries) {
    if (byKey.has(entry[1].key)) throw new Error(`${describe}: key ${entry[1].key} is used twice`);
    byKey.set(entry[1].key, entry);
  }
  return {
    describe,
    fields,
    toCbor: (value, where) => {
      const record = value as Readonly<Record<string, unknown>>;
      const map = new Map<number, CborValue>();
      for (const [name, f] of entries) {
        const v = record[name];
        if (v !== undefined) map.set(f.key, f.codec.toCbor(v, `${where}.${name}`));
        else if (!f.optional) fail(`${where}.${name}`, f.codec.describe);
      }
      return map;
    },
    fromCbor: (value, where) => {
      if (!(value instanceof Map)) return fail(where, `a map (${describe})`);
      const record: Record<string, unknown> = {};
      for (const [key, v] of value as ReadonlyMap<number | string, CborValue>) {
        const entry = typeof key === "number" ? byKey.get(key) : undefined;
        if (entry === undefined)
          return fail(where, `no field ${String(key).slice(0, 20)} in ${describe}`);
        record[entry[0]] = entry[1].codec.fromCbor(v, `${where}.${entry[0]}`);
      }
      for (const [name, f] of entries) {
        if (!f.optional && !(name in record)) fail(`${where}.${name}`, f.codec.describe);
      }
      return record as StructOf<S>;
    },
  };
}

/** Encodes by the schema. Throws ProtocolError `malformed` if the value breaks it. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  return encodeCbor(codec.toCbor(value, codec.describe));
}

/** Decodes strictly by the schema. Throws ProtocolError `malformed` naming the path and what was expected. */
export function decode<T>(codec: Codec<T>, encoded: Uint8Array, limits?: CborLimits): T {
  return codec.fromCbor(decodeCbor(encoded, limits), codec.describe);
}

/** The personal tags found anywhere in a codec: what decides how a value is stored and masked (P-20, P-41). */
export function personalTags(codec: Codec<unknown>): ReadonlySet<PersonalTag> {
  const found = new Set<PersonalTag>();
  const walk = (c: Codec<unknown>): void => {
    if (c.item !== undefined) walk(c.item);
    for (const f of Object.values(c.fields ?? {})) {
      if (f.tag !== undefined) found.add(f.tag);
      walk(f.codec);
    }
  };
  walk(codec);
  return found;
}
