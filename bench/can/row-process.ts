/** One row, measured in a process of its own: prints it as JSON. Arguments: which, and for cantools where that is. */
import type { Row } from "../benchmark.ts";
import { againstCandied, againstCantools, slotsAgainstObjects } from "./decode-rows.ts";
import { scannerAgainstExpression } from "./log-rows.ts";
import { storeAgainstDecoding } from "./store-rows.ts";

const ROWS: Readonly<Record<string, (argument: string) => Promise<Row>>> = {
  candied: againstCandied,
  cantools: againstCantools,
  slots: slotsAgainstObjects,
  store: () => storeAgainstDecoding(false),
  "store-all-new": () => storeAgainstDecoding(true),
  log: scannerAgainstExpression,
};

const [which = "", argument = ""] = process.argv.slice(2);
const measure = ROWS[which];
if (measure === undefined) throw new Error(`no row ${which}`);
process.stdout.write(JSON.stringify(await measure(argument)));
