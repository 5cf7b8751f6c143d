/** What a person reads: one line a step, at most 100 columns. */
const COLUMNS_MAX = 100;
const LABEL_COLUMNS = 10;

function cut(line: string): string {
  return line.length <= COLUMNS_MAX ? line : `${line.slice(0, COLUMNS_MAX - 1)}…`;
}

/** A step with the time of day. */
export function step(label: string, words: string): void {
  const time = new Date().toTimeString().slice(0, 8);
  process.stdout.write(`${cut(`${time}  ${label.padEnd(LABEL_COLUMNS)} ${words}`)}\n`);
}

/** Lines meant to be copied: never cut. */
export function lines(...text: readonly string[]): void {
  process.stdout.write(`${text.join("\n")}\n`);
}

export function problem(words: string): void {
  process.stderr.write(`${words.trimEnd()}\n`);
}
