/** How `serve` is told where totals and traces go. */
import { resolve } from "node:path";
import type { NodeOptions } from "../node.ts";
import { type Input, type Option, UsageError } from "./command.ts";

const SHARE_DEFAULT = "0.01";
export const TELEMETRY_OPTIONS: Readonly<Record<string, Option>> = {
  telemetry: { value: "FILE", doc: "where totals are pushed to each minute: JSON as above" },
  traces: { value: "FILE", doc: "where traces are posted to (OTLP over HTTPS): JSON as above" },
  "traces-share": {
    value: "N",
    doc: `which part of the traces is taken, 0 to 1; default: ${SHARE_DEFAULT}`,
  },
};

/** The same words for the node; judged here first, so that a mistake is told once. */
export function telemetryWords(input: Input): readonly string[] {
  const { telemetry, traces } = telemetryOf(input);
  return [
    ...(telemetry === undefined ? [] : ["--telemetry", telemetry]),
    ...(traces === undefined
      ? []
      : ["--traces", traces.file, "--traces-share", String(traces.share)]),
  ];
}

/** Throws UsageError. */
export function telemetryOf(input: Input): Pick<NodeOptions, "telemetry" | "traces"> {
  const [telemetry, file] = [input.optional("telemetry"), input.optional("traces")];
  const share = input.optional("traces-share");
  if (share !== undefined && file === undefined)
    throw new UsageError("--traces-share: expected --traces with it");
  return {
    ...(telemetry === undefined ? {} : { telemetry: resolve(telemetry) }),
    ...(file === undefined
      ? {}
      : { traces: { file: resolve(file), share: shareOf(share ?? SHARE_DEFAULT) } }),
  };
}

function shareOf(text: string): number {
  const share = /^(?:0(?:\.\d{1,6})?|1(?:\.0{1,6})?)$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(share)) throw new UsageError("--traces-share: expected a number from 0 to 1");
  return share;
}
