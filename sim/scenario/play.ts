/** Plays a scenario on a stage, step by step, and says of each what held, when, and by what that was seen. */

import { DEEDS_DONE } from "./deeds.ts";
import { durationMs } from "./duration.ts";
import { type Deed, deedOf, type Scenario, type Step } from "./schema.ts";
import { type DriveEnd, type Stage, StageError } from "./stage.ts";

export type StepOutcome = "held" | "failed" | "error" | "skipped";
export type StepResult = {
  /** From 1, as in the file. */
  readonly step: number;
  readonly line: number;
  readonly words: string;
  readonly outcome: StepOutcome;
  /** Of the scenario's own time, when it was over. */
  readonly atMs: number;
  readonly tookMs: number;
  /** What was seen. */
  readonly evidence: string;
};
export type Played = {
  readonly scenario: string;
  readonly stage: Stage["name"];
  readonly held: boolean;
  readonly steps: readonly StepResult[];
  /** Of the scenario's time, and of ours. */
  readonly lastedMs: number;
  readonly tookMs: number;
  /** The last of what the agent logged, where something did not hold. */
  readonly log: readonly string[];
};

/** What a step comes to: with evidence, or why not. */
export type Seen =
  | { readonly held: true; readonly evidence: string }
  | { readonly held: false; readonly evidence: string };

/** What steps before have given names to. */
export type Cast = {
  readonly bookings: Map<string, string>;
  readonly grants: Map<string, string>;
  readonly commands: Map<string, string>;
  readonly drives: Map<string, Promise<DriveEnd>>;
  /** Makes the keys of requests that are asked once. */
  asked: number;
};

export type PlayOptions = {
  readonly scenario: Scenario;
  /** Of each step. */
  readonly lines: readonly number[];
  readonly stage: Stage;
  /** Real time, for how long it took. */
  readonly nowMs: () => number;
  readonly onStep?: (result: StepResult) => void;
};

/**
 * Never rejects for what does not hold. A deed that cannot be done ends the scenario, and what follows is skipped; an
 * expectation that does not hold does not.
 */
export async function play(options: PlayOptions): Promise<Played> {
  const { scenario, lines, stage, nowMs } = options;
  const startedMs = nowMs();
  const cast: Cast = {
    bookings: new Map(),
    grants: new Map(),
    commands: new Map(),
    drives: new Map(),
    asked: 0,
  };
  const steps: StepResult[] = [];
  let isOver = false;
  for (const [index, step] of scenario.steps.entries()) {
    const fromMs = stage.nowMs();
    const deed = deedOf(step);
    if (deed === undefined) throw new RangeError("a scenario that was not linted");
    const done = isOver
      ? { outcome: "skipped" as const, evidence: "a step before could not be done" }
      : await doStep(step, deed, stage, cast);
    if (done.outcome === "error" || (done.outcome === "failed" && deed.deed !== "expect"))
      isOver = true;
    const result: StepResult = {
      step: index + 1,
      line: lines[index] ?? 0,
      words: step.words ?? wordsOf(deed),
      ...done,
      atMs: stage.nowMs(),
      tookMs: stage.nowMs() - fromMs,
    };
    steps.push(result);
    options.onStep?.(result);
  }
  const held = steps.every(({ outcome }) => outcome === "held");
  return {
    scenario: scenario.scenario,
    stage: stage.name,
    held,
    steps,
    lastedMs: stage.nowMs(),
    tookMs: nowMs() - startedMs,
    log: held ? [] : stage.log(),
  };
}

async function doStep(
  step: Step,
  deed: Deed,
  stage: Stage,
  cast: Cast,
): Promise<Pick<StepResult, "outcome" | "evidence">> {
  try {
    if (step.at !== undefined) {
      const waitMs = durationMs(step.at) - stage.nowMs();
      if (waitMs > 0) await stage.pass(waitMs);
    }
    const run = DEEDS_DONE[deed.deed] as (
      given: unknown,
      stage: Stage,
      cast: Cast,
    ) => Promise<Seen>;
    const { held, evidence } = await run(deed.given, stage, cast);
    return { outcome: held ? "held" : "failed", evidence };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const kind = error instanceof StageError ? "this stage" : "it could not be done";
    return { outcome: "error", evidence: `${kind}: ${words}` };
  }
}

/** One line for a step that says nothing of itself. */
function wordsOf({ deed, given }: Deed): string {
  if (typeof given === "string" || typeof given === "number") return `${deed} ${given}`;
  const parts = Object.entries(given).map(([name, value]) =>
    typeof value === "object" ? `${name} ${JSON.stringify(value)}` : `${name} ${String(value)}`,
  );
  return `${deed} ${parts.join(", ")}`.slice(0, 160);
}
