/** Random databases as text, of everything the codec has to cope with: what a generator of cars might write. */
import type { Random } from "../../../fuzz/random.ts";

const SCALES = ["1", "0.1", "0.01", "2", "-1", "0.0078125", "1e-7", "25", "0.39", "-0.5"];
const OFFSETS = ["0", "0", "-40", "100.5", "-273.15", "1e6"];
const LENGTHS = [0, 1, 2, 3, 5, 6, 8, 8, 8, 8, 8, 12, 20, 48, 64];

type Placed = { readonly text: string; readonly name: string; readonly types: string };

/** A signal of a message of the given id; it may overlap others and may end beyond the frame. */
function randomSignal(
  random: Random,
  id: number,
  name: string,
  role: string,
  bits: number,
): Placed {
  const bigEndian = random.bool();
  const wide = random.bool(0.08);
  const float = random.bool(0.15) && bits >= 64;
  const length = float
    ? random.pick([16, 32, 64])
    : 1 + random.int(wide ? Math.min(100, bits + 2) : Math.min(64, bits + 2));
  const start = random.int(Math.max(1, bits - (bigEndian ? 0 : length) + 1));
  const sign = random.pick(["+", "-"]);
  const scaling = `(${random.pick(SCALES)},${random.pick(OFFSETS)})`;
  const order = bigEndian ? 0 : 1;
  const type = float && length !== 16 ? (length === 32 ? 1 : 2) : 1;
  return {
    name,
    text: ` SG_ ${name}${role} : ${start}|${length}@${order}${sign} ${scaling} [0|0] "u" A\n`,
    types: float ? `SIG_VALTYPE_ ${id} ${name} : ${type};\n` : "",
  };
}

/** A signal with a byte to itself. */
function neatSignal(random: Random, name: string, role: string, byte: number): Placed {
  const length = 1 + random.int(8);
  const [order, start] = random.bool() ? [1, 8 * byte] : [0, 8 * byte + length - 1];
  const kind = `${start}|${length}@${order}${random.pick(["+", "-"])}`;
  const scaling = `(${random.pick(SCALES)},${random.pick(OFFSETS)})`;
  return { name, text: ` SG_ ${name}${role} : ${kind} ${scaling} [0|0] "u" A\n`, types: "" };
}

type Drawn = { readonly body: string; readonly tail: string };

function randomMessage(random: Random, id: number): Drawn {
  const bytes = random.pick(LENGTHS);
  const bits = bytes * 8;
  let body = `BO_ ${id} M${id}: ${bytes} A\n`;
  let tail = "";
  // A layout that holds: else hardly any message with a selector would be free of contradictions.
  const neat = random.bool() && bytes >= 3;
  let used = 2;
  const add = (name: string, role: string): void => {
    if (neat && used === bytes) return;
    const signal = neat
      ? neatSignal(random, name, role, used++)
      : randomSignal(random, id, name, role, Math.max(1, bits));
    body += signal.text;
    tail += signal.types;
  };
  for (let i = random.int(7); i > 0; i--) add(`s${i}`, "");
  if (bits < 8 || random.bool(0.6)) return { body, tail };
  const sign = random.pick(["+", "+", "-"]);
  const selectorAt = neat ? random.int(6) : random.int(bits - 3);
  body += ` SG_ sel M : ${selectorAt}|3@1${sign} (1,0) [0|0] "" A\n`;
  const extended = random.bool();
  for (let i = random.int(6); i >= 0; i--) {
    add(`m${i}`, ` m${random.int(8)}`);
    if (!extended) continue;
    const from = random.int(8) - 2;
    tail += `SG_MUL_VAL_ ${id} m${i} sel ${from}-${from + random.int(3)}, 5-5;\n`;
  }
  if (random.bool(0.3)) tail += `VAL_ ${id} sel 6 "six" 7 "seven";\n`;
  if (extended && random.bool()) {
    body += ` SG_ sub m1M : ${neat ? 8 : random.int(bits - 2)}|2@1+ (1,0) [0|0] "" A\n`;
    tail += `SG_MUL_VAL_ ${id} sub sel 1-2;\n`;
    for (let i = random.int(4); i >= 0; i--) {
      add(`c${i}`, ` m${random.int(4)}`);
      tail += `SG_MUL_VAL_ ${id} c${i} sub ${random.int(2)}-${1 + random.int(3)};\n`;
    }
  }
  return { body, tail };
}

export function randomDbc(random: Random, messages: number): string {
  let body = 'VERSION "random"\n\nBS_:\n\nBU_: A\n\n';
  let tail = "";
  for (let i = 0; i < messages; i++) {
    const id = random.bool() ? i + 1 : 0x80000000 + 0x10000 * (i + 1);
    const message = randomMessage(random, id);
    body += `${message.body}\n`;
    tail += message.tail;
  }
  return `${body}\n${tail}`;
}
