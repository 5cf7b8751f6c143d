/** Some signals with their values, as events carry them. */
import type { CborValue } from "./cbor.ts";
import { ProtocolError } from "./errors.ts";
import type { Codec } from "./schema.ts";
import {
  isSignalName,
  type SignalName,
  type SignalValue,
  signalByCode,
  signalRow,
  signalValueError,
} from "./signals.ts";

const VALUES_MAX = 64;

/** A set of signal values: a CBOR map from the signal's code to its value, checked against the signal's row. */
export const signalValues: Codec<Readonly<Partial<Record<SignalName, SignalValue>>>> = {
  describe: `map from signal code to value, at most ${VALUES_MAX}`,
  toCbor: (values, where) => {
    const rows = Object.entries(values).map(([name, value]): [number, CborValue] => {
      const problem = isSignalName(name) ? signalValueError(name, value) : `no signal ${name}`;
      if (problem !== undefined) throw new ProtocolError("malformed", `${where}: ${problem}`);
      return [signalRow(name as SignalName).code, value];
    });
    if (rows.length > VALUES_MAX)
      throw new ProtocolError("malformed", `${where}: over ${VALUES_MAX}`);
    return new Map(rows.sort(([a], [b]) => a - b));
  },
  fromCbor: (value, where) => {
    if (!(value instanceof Map) || value.size > VALUES_MAX) {
      throw new ProtocolError(
        "malformed",
        `${where}: expected a map of at most ${VALUES_MAX} values`,
      );
    }
    const out: Partial<Record<SignalName, SignalValue>> = {};
    for (const [code, v] of value as ReadonlyMap<number | string, CborValue>) {
      const name = typeof code === "number" ? signalByCode(code) : undefined;
      const problem = name === undefined ? "no such signal" : signalValueError(name, v);
      if (name === undefined || problem !== undefined) {
        throw new ProtocolError("malformed", `${where}: ${problem}`);
      }
      out[name] = v as SignalValue;
    }
    return out;
  },
};
