/** Bounds of files, test files that forget to run, files nobody reaches. */

import { basename } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSources, resolveImport } from "./sources.ts";

const LINES_MAX = 400;
const sources = readSources();

test("no file is longer than it may be", () => {
  const long = sources
    .filter(({ text }) => text.split("\n").length > LINES_MAX)
    .map(({ path }) => path);
  assert.equal(long, [], `over ${LINES_MAX} lines`);
});

test("every test file runs its tests", () => {
  const idle = sources
    .filter(({ path }) => path.endsWith(".test.ts"))
    .filter(({ text }) => !/^\w+\.run\(\);$/m.test(text))
    .map(({ path }) => path);
  assert.equal(idle, [], "a test file without .run() passes without testing anything");
});

test("every source file is reached from an entry", () => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const isEntry = (path: string): boolean =>
    /(^|\/)(main|index)\.(ts|js)$/.test(path) ||
    /\.test\.ts$/.test(path) ||
    /^scripts\/[^/]+$/.test(path) ||
    /\/bin\/[^/]+\.mjs$/.test(path) ||
    // Node-RED loads what the palette's package.json names.
    /\/palette\/[^/]+\.js$/.test(path) ||
    /\.(html|d\.ts)$/.test(path);
  const reached = new Set<string>();
  const queue = sources.map(({ path }) => path).filter(isEntry);
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const specifier of byPath.get(path)?.imports ?? []) {
      const target = resolveImport(path, specifier);
      if (target !== undefined && byPath.has(target)) queue.push(target);
    }
    const mentions = new Set(byPath.get(path)?.mentions);
    queue.push(
      ...sources.map((other) => other.path).filter((other) => mentions.has(basename(other))),
    );
  }
  const dead = sources.map(({ path }) => path).filter((path) => !reached.has(path));
  assert.equal(dead, [], "files that nothing imports");
});

test.run();
