/** Text that a car sends in pieces, such as its VIN. */
import type { BoundMessage, BoundText } from "../profile/link.ts";

const PRINTABLE_MIN = 0x20;
const PRINTABLE_MAX = 0x7e;

export class TextAssembler {
  readonly rule: BoundText;
  readonly #pieces: (string | undefined)[];

  constructor(rule: BoundText) {
    this.rule = rule;
    this.#pieces = rule.pieces.map(() => undefined);
  }

  /** Takes the pieces that this frame holds. True: all pieces are there, and `value` is new or confirmed. */
  take(message: BoundMessage, data: Uint8Array): boolean {
    const raws = message.compiled.decodeRaw(data);
    if (raws === null) return false;
    let took = false;
    for (const [i, piece] of this.rule.pieces.entries()) {
      const name = message.compiled.message.signals[piece.slot]?.name;
      const raw = piece.message === message.name && name !== undefined ? raws[name] : undefined;
      if (raw === undefined) continue;
      this.#pieces[i] = textOf(BigInt(raw), piece.bytes);
      took = true;
    }
    return took && this.#pieces.every((piece) => piece !== undefined);
  }

  /** Undefined: a character in it is none, as where the car has not been given its number. */
  get value(): string | undefined {
    const joined = this.#pieces.join("").replace(/[\0 ]+$/, "");
    const printable = [...joined].every((char) => {
      const code = char.charCodeAt(0);
      return code >= PRINTABLE_MIN && code <= PRINTABLE_MAX;
    });
    return printable && joined !== "" ? joined : undefined;
  }
}

function textOf(raw: bigint, bytes: number): string {
  let text = "";
  for (let i = bytes - 1; i >= 0; i--) {
    text += String.fromCharCode(Number((raw >> BigInt(8 * i)) & 0xffn));
  }
  return text;
}
