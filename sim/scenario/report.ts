/** What came of scenarios: for people, as JSON lines, as JUnit's XML. */
import { clockWords } from "./duration.ts";
import type { Played, StepOutcome, StepResult } from "./play.ts";

const MARKS: Readonly<Record<StepOutcome, string>> = {
  held: "ok  ",
  failed: "FAIL",
  error: "FAIL",
  skipped: "—   ",
};
const LOG_LINES_TOLD = 12;

export function stepLine({ outcome, atMs, words, evidence }: StepResult): string {
  const seen = evidence === "" ? "" : `\n                        ${evidence}`;
  return `  ${MARKS[outcome]} ${clockWords(atMs).padStart(10)}  ${words}${seen}`;
}

/** `all`: what held too, not only what did not. */
export function playedText(played: Played, all: boolean): string {
  const { scenario, stage, held, steps, lastedMs, tookMs, log } = played;
  const head = `${held ? "ok  " : "FAIL"} ${scenario} (${stage}: ${clockWords(lastedMs)} in ${(tookMs / 1000).toFixed(1)} s)`;
  const told = steps.filter(({ outcome }) => all || outcome === "failed" || outcome === "error");
  const more = log.slice(-LOG_LINES_TOLD).map((line) => `       agent: ${line}`);
  return [head, ...told.map(stepLine), ...more].join("\n");
}

/** `asked`: how many were to be played. */
export function summaryText(all: readonly Played[], asked: number): string {
  const held = all.filter((one) => one.held).length;
  return `${held} of ${asked} scenarios held`;
}

function escaped(text: string): string {
  return (
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 § 2.2 has no place for them
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "�")
  );
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

function caseOf(step: StepResult): string {
  const name = escaped(`${String(step.step).padStart(2, "0")} ${step.words}`);
  const open = `    <testcase name="${name}" classname="line ${step.line}" time="${seconds(step.tookMs)}"`;
  const message = escaped(step.evidence);
  const at = escaped(`at ${clockWords(step.atMs)}`);
  switch (step.outcome) {
    case "held":
      return `${open}><system-out>${at} ${message}</system-out></testcase>`;
    case "failed":
      return `${open}><failure message="${message}">${at}</failure></testcase>`;
    case "error":
      return `${open}><error message="${message}">${at}</error></testcase>`;
    case "skipped":
      return `${open}><skipped message="${message}"/></testcase>`;
  }
}

/** A suite a scenario, a case a step. */
export function junitXml(all: readonly Played[]): string {
  const suites = all.map(({ scenario, stage, steps, tookMs }) => {
    const count = (outcome: StepOutcome): number =>
      steps.filter((step) => step.outcome === outcome).length;
    const numbers = `tests="${steps.length}" failures="${count("failed")}" errors="${count("error")}" skipped="${count("skipped")}"`;
    const head = `  <testsuite name="${escaped(scenario)} (${stage})" ${numbers} time="${seconds(tookMs)}">`;
    return [head, ...steps.map(caseOf), "  </testsuite>"].join("\n");
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("\n")}\n</testsuites>\n`;
}
