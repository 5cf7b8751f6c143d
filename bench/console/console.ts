/** `console`: the operators' page on 5,000 cars, in a browser, against a whole cloud by its own command lines. */
import type { Benchmark } from "../benchmark.ts";
import { consoleRows } from "./rows.ts";

export const consoleBenchmark: Benchmark = {
  name: "console",
  why: "until 5,000 cars can be worked with, and whether typing keeps up while cars report",
  run: consoleRows,
};
