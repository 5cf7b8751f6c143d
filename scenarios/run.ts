/** Plays scenario files on stages of one kind, one after the other. */
import { readFileSync } from "node:fs";
import { loadScenario, type Played, play, type Stage, type StepResult } from "@kerbside/sim";
import { realStage } from "./real-stage.ts";
import { simulatedStage } from "./simulated-stage.ts";
import { makeTemplate, type Template } from "./template.ts";

export type StageKind = Stage["name"];
export type Runner = {
  /** Rejects where the file cannot be read or is no scenario, naming file and line. */
  readonly run: (file: string, onStep?: (result: StepResult) => void) => Promise<Played>;
  readonly close: () => Promise<void>;
};

export function createRunner(kind: StageKind, seed?: number): Runner {
  let template: Promise<Template> | undefined;
  const open = async (given: number | undefined): Promise<Stage> => {
    if (kind === "real") return await realStage();
    template ??= makeTemplate();
    return await simulatedStage(await template, seed ?? given);
  };
  return {
    run: async (file, onStep) => {
      const loaded = loadScenario(readFileSync(file, "utf8"));
      if (!loaded.ok) {
        const words = loaded.problems.map(({ line, message }) => `${file}:${line}: ${message}`);
        throw new Error(words.join("\n"));
      }
      const { scenario, lines } = loaded;
      const stage = await open(scenario.seed);
      try {
        return await play({
          ...{ scenario, lines, stage },
          nowMs: () => performance.now(),
          ...(onStep === undefined ? {} : { onStep }),
        });
      } finally {
        await stage.close();
      }
    },
    close: async () => (await template)?.remove(),
  };
}
