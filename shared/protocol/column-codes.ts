/**
 * Prefix codes for the residuals of columns: canonical ones (RFC 1951 § 3.2.2), given by the length of each symbol's
 * code. The lengths were trained on drives of the simulated car and are part of the format: they never change.
 */
import { TRAINED_LENGTHS } from "./column-trained.ts";

/** One for each level of the residuals before, then one for runs of zeros. */
export const VALUE_CODES: number = TRAINED_LENGTHS.length - 1;
export const RUN_CODE: number = VALUE_CODES;
/** No code is longer. */
export const LOOK_BITS = 11;

export type PrefixCode = { readonly lengths: readonly number[]; readonly codes: readonly number[] };

/** Codes of one length count up with the symbols; shorter ones come first. */
export function prefixCode(lengths: readonly number[]): PrefixCode {
  const codes = lengths.map(() => 0);
  let code = 0;
  for (let length = 1; length <= LOOK_BITS; length += 1) {
    for (const [symbol, own] of lengths.entries()) {
      if (own !== length) continue;
      codes[symbol] = code;
      code += 1;
    }
    code *= 2;
  }
  return { lengths, codes };
}

const TRAINED: readonly PrefixCode[] = TRAINED_LENGTHS.map((row) =>
  prefixCode([...row].map((digit) => Number.parseInt(digit, 16))),
);

export function lengthOf(code: number, symbol: number): number {
  return TRAINED[code]?.lengths[symbol] ?? 0;
}

export function codeOf(code: number, symbol: number): number {
  return TRAINED[code]?.codes[symbol] ?? 0;
}

const decoders: Uint16Array[] = [];

/** For any next `LOOK_BITS` bits: 16 × the symbol they begin with + the length of its code. */
export function decoderOf(code: number): Uint16Array {
  return decoders[code] ?? makeDecoder(code);
}

function makeDecoder(code: number): Uint16Array {
  const { lengths, codes } = TRAINED[code] ?? { lengths: [], codes: [] };
  const table = new Uint16Array(2 ** LOOK_BITS);
  for (const [symbol, length] of lengths.entries()) {
    const free = LOOK_BITS - length;
    const from = (codes[symbol] ?? 0) * 2 ** free;
    table.fill(16 * symbol + length, from, from + 2 ** free);
  }
  decoders[code] = table;
  return table;
}
