/**
 * Fixed binary layouts, as a small controller reads them: fields follow each other without padding, numbers are
 * big-endian, a choice is one byte whose value the table names, a flag is one byte, 0 or 1.
 */
import { ProtocolError } from "./errors.ts";

export type WireField<T> = {
  readonly size: number;
  readonly describe: string;
  // Methods, not properties: so that a field of anything may be walked over as a field of unknown.
  write(view: DataView, at: number, value: T): void;
  read(view: DataView, at: number): T;
};
export type WireLayout = Readonly<Record<string, WireField<unknown>>>;
export type WireValues<L extends WireLayout> = {
  readonly [K in keyof L]: L[K] extends { read(view: DataView, at: number): infer T } ? T : never;
};

function unsigned(size: 1 | 2 | 4): WireField<number> {
  const max = 2 ** (8 * size) - 1;
  return {
    size,
    describe: `unsigned, ${8 * size} bits`,
    write: (view, at, value) => {
      if (!Number.isInteger(value) || value < 0 || value > max) throw outside(`0 to ${max}`);
      if (size === 1) view.setUint8(at, value);
      else if (size === 2) view.setUint16(at, value);
      else view.setUint32(at, value);
    },
    read: (view, at) => {
      if (size === 1) return view.getUint8(at);
      return size === 2 ? view.getUint16(at) : view.getUint32(at);
    },
  };
}

export const u8: WireField<number> = unsigned(1);
export const u16: WireField<number> = unsigned(2);
export const u32: WireField<number> = unsigned(4);

export const flag: WireField<boolean> = {
  size: 1,
  describe: "0 no, 1 yes",
  write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  read: (view, at) => {
    const value = view.getUint8(at);
    if (value > 1) throw outside("0 or 1");
    return value === 1;
  },
};

/** Just `size` bytes; read as a copy. */
export function octets(size: number): WireField<Uint8Array> {
  return {
    size,
    describe: `${size} bytes`,
    write: (view, at, value) => {
      if (value.length !== size) throw outside(`${size} bytes`);
      new Uint8Array(view.buffer, view.byteOffset + at, size).set(value);
    },
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
  };
}

/** One of some names. The first travels as `first`, so names are only ever appended. */
export function named<const N extends readonly string[]>(
  names: N,
  first: 0 | 1 = 0,
): WireField<N[number]> {
  const describe = names.map((name, index) => `${index + first} ${name}`).join(", ");
  return {
    size: 1,
    describe,
    write: (view, at, value) => {
      const index = names.indexOf(value);
      if (index < 0) throw outside(`one of ${names.join(", ")}`);
      view.setUint8(at, index + first);
    },
    read: (view, at) => {
      const name: N[number] | undefined = names[view.getUint8(at) - first];
      if (name === undefined) throw outside(`one of ${describe}`);
      return name;
    },
  };
}

function outside(expected: string): ProtocolError {
  return new ProtocolError("malformed", `lock link field: expected ${expected}`);
}

export function layoutBytes(layout: WireLayout): number {
  return Object.values(layout).reduce((sum, field) => sum + field.size, 0);
}

/** Throws ProtocolError `malformed` where a value is outside its field. */
export function writeLayout(
  layout: WireLayout,
  values: Readonly<Record<string, unknown>>,
): Uint8Array {
  const out = new Uint8Array(layoutBytes(layout));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [name, field] of Object.entries(layout)) {
    field.write(view, at, values[name]);
    at += field.size;
  }
  return out;
}

/** Throws ProtocolError `malformed` unless it is just as long as the layout and each value is inside its field. */
export function readLayout<L extends WireLayout>(layout: L, bytes: Uint8Array): WireValues<L> {
  if (bytes.length !== layoutBytes(layout)) throw outside(`${layoutBytes(layout)} bytes in all`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: Record<string, unknown> = {};
  let at = 0;
  for (const [name, field] of Object.entries(layout)) {
    values[name] = field.read(view, at);
    at += field.size;
  }
  return values as WireValues<L>;
}
