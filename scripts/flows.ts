/**
 * `npm run flows`: the Node-RED editor beside a simulated car that is being driven. A rule is drawn with the nodes that
 * a real car has, fed with what this car's bus says, and kept as a flow file that can be signed and sent to cars.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { pathsOf, TENANT } from "./demo/parts.ts";
import { lines, problem, step } from "./demo/print.ts";
import { DemoError } from "./demo/processes.ts";
import { openFlowDocument } from "./flows/document.ts";
import { startEditor } from "./flows/editor.ts";
import { feedFrom } from "./flows/feed.ts";

const HELP = `npm run flows [-- OPTIONS]   draw a rule against the simulated car of a running \`npm start\`

  --data DIR    the directory of \`npm start\` (default .kerbside)
  --flow FILE   the flow file to work on (default DIR/flows/first-rule.json); made where it is missing
  --port N      of the editor, on this machine only (default 8446)
`;

function options():
  | { readonly data: string; readonly flow: string; readonly port: number }
  | undefined {
  const words = {
    data: { type: "string" },
    flow: { type: "string" },
    port: { type: "string" },
    help: { type: "boolean" },
  } as const;
  const values = (() => {
    try {
      return parseArgs({ options: words, strict: true }).values;
    } catch (error) {
      throw new DemoError(error instanceof Error ? error.message : String(error));
    }
  })();
  if (values.help === true) return undefined;
  const data = resolve(values.data ?? ".kerbside");
  const port = Number(values.port ?? "8446");
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new DemoError(
      `--port: expected a port from 0 to 65535, got ${JSON.stringify(values.port)}`,
    );
  }
  return { data, port, flow: resolve(values.flow ?? join(data, "flows", "first-rule.json")) };
}

async function main(): Promise<void> {
  const chosen = options();
  if (chosen === undefined) {
    lines(HELP);
    return;
  }
  const { data, flow, port } = chosen;
  const bus = join(data, "sim", "can.sock");
  if (!existsSync(bus)) {
    throw new DemoError(
      `no simulated car in ${data}: start it with npm start, in another terminal`,
    );
  }
  const document = openFlowDocument(flow, (words) => step("rule", words));
  const feed = feedFrom(bus);
  const tls = join(pathsOf(data).cloud, "tls");
  const editor = await startEditor({
    port,
    tls,
    document,
    feed,
    told: (words) => step("rule", words),
  });
  lines(
    "",
    `  Editor    https://localhost:${editor.port}/    sign in as rules, with ${editor.password}`,
    `  Rule      ${flow}`,
    '            what it may report stands there under "events"; the nodes are the editor\'s',
    `  Check     npx kerbside-agent flow check ${flow}`,
    `  Send      npx kerbside-cloud flow publish --tenant ${TENANT} --data ${data} --file ${flow}`,
    "",
    "  Deploy in the editor keeps the rule. Ctrl-C ends it.",
    "",
  );
  await new Promise<void>((ended) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended());
  });
  await editor.close();
  await feed.close();
  // Node-RED leaves something behind that would keep this process.
  process.exit();
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  problem(error instanceof DemoError ? error.message : String(error.stack));
  process.exitCode = 1;
}
