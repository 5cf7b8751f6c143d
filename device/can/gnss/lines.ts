/** Bytes of a receiver to sentences whose checksum holds (NMEA 0183 §5.3). */

/** The standard's 82, and what receivers put on top of it. */
const SENTENCE_CHARS_MAX = 120;
const LINE_FEED = 10;
const SENTENCE = /^\$([\x20-\x29\x2b-\x7e]+)\*([0-9A-Fa-f]{2})\r?$/;

export type SentenceCounts = { sentences: number; refused: number };

/** Keeps at most one unfinished line. What is no sentence, or damaged, is counted and left out. */
export class SentenceSplitter {
  readonly counts: SentenceCounts = { sentences: 0, refused: 0 };
  #line = "";
  #tooLong = false;

  push(bytes: Uint8Array): string[] {
    const sentences: string[] = [];
    for (const byte of bytes) {
      if (byte !== LINE_FEED) {
        if (this.#line.length < SENTENCE_CHARS_MAX) this.#line += String.fromCharCode(byte);
        else this.#tooLong = true;
        continue;
      }
      const line = this.#line;
      const whole = !this.#tooLong && isSentence(line);
      this.#line = "";
      this.#tooLong = false;
      if (whole) sentences.push(line.trimEnd());
      else if (line.trim() !== "") this.counts.refused += 1;
    }
    this.counts.sentences += sentences.length;
    return sentences;
  }
}

function isSentence(line: string): boolean {
  const [, body = "", checksum = ""] = SENTENCE.exec(line) ?? [];
  if (checksum === "") return false;
  let sum = 0;
  for (let i = 0; i < body.length; i++) sum ^= body.charCodeAt(i);
  return sum === Number.parseInt(checksum, 16);
}
