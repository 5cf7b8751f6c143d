/** `kerbside-agent flow`: what is said of a flow file before it is signed and sent. */
import { readFileSync } from "node:fs";
import { flowProblems, flowSchema, parseFlow } from "./flow-file.ts";

export type FlowIo = {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
};

const HELP = `kerbside-agent flow check FILE… [--json]   check flow files
kerbside-agent flow schema                print the JSON Schema of flow files`;

/** 0 all are fit for a car, 1 one is not, 2 used wrongly. Throws what the system says of a file. */
export function runFlow(args: readonly string[], io: FlowIo): 0 | 1 | 2 {
  const [name, ...rest] = args;
  if (name === "--help") {
    io.out(HELP);
    return 0;
  }
  if (name === "schema" && rest.length === 0) {
    io.out(JSON.stringify(flowSchema, undefined, 2));
    return 0;
  }
  const files = rest.filter((word) => word !== "--json");
  if (name !== "check" || files.length === 0 || files.some((word) => word.startsWith("-"))) {
    io.err(HELP);
    return 2;
  }
  let fit = true;
  for (const file of files) {
    const bytes = readFileSync(file);
    const problems = flowProblems(bytes);
    fit &&= problems.length === 0;
    if (rest.includes("--json")) io.out(JSON.stringify({ file, problems }));
    else if (problems.length === 0) io.out(summary(file, bytes));
    else for (const words of problems) io.err(`${file}#${words}`);
  }
  return fit ? 0 : 1;
}

function summary(file: string, bytes: Uint8Array): string {
  const { name, version, signals, events, nodes } = parseFlow(bytes);
  const counts = `${signals.length} signals, ${events.length} events, ${nodes.length} nodes`;
  return `${file}: flow ${name}, version ${version}: ${counts}`;
}
