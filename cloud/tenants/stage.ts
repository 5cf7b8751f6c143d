/**
 * Whether a data directory is of production or of staging (P-94). Staging holds made-up data only: its directories say so
 * from their first day, its backups too, and nothing of one is opened where the other is run.
 */
import { join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import { readIfThere, replaceFile } from "./files.ts";

export const STAGES = ["production", "staging"] as const;
export type Stage = (typeof STAGES)[number];
const FILE = "stage";

export function isStage(name: unknown): name is Stage {
  return STAGES.some((stage) => stage === name);
}

/** A directory that says nothing is of production. Throws ProtocolError `storage_failed`. */
export function stageOf(dir: string): Stage {
  const said = readIfThere(join(dir, FILE));
  if (said === undefined) return "production";
  const name = Buffer.from(said).toString("utf8").trim();
  if (isStage(name)) return name;
  throw new ProtocolError("storage_failed", `${dir}/${FILE}: expected ${STAGES.join(" or ")}`);
}

/** Said once, when a directory is made. */
export function markStage(dir: string, stage: Stage): void {
  if (stage !== "production") replaceFile(join(dir, FILE), Buffer.from(`${stage}\n`));
}

/** Throws ProtocolError `conflict` where it is of the other stage. */
export function checkStage(what: string, is: Stage, expected: Stage): void {
  if (is !== expected)
    throw new ProtocolError("conflict", `${what}: is of ${is}, and this is ${expected}`);
}
