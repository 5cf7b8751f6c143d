/**
 * Copies of the project within one process: each has a number, and the modules of ours that it reaches are loaded anew
 * under it, so that nothing is left of the copy before. One module of a copy may be changed as it is loaded; then what
 * cannot lead to that module is loaded once for all copies (no module of the product keeps a state of its own, tests do
 * and are always new). Packages of others are loaded once. Nothing is written anywhere, so a change cannot miss the
 * module that is tested.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { importsOf } from "./imports.ts";
import { strip } from "./mutants.ts";

/** A file, from the root of the repository, and what stands in it instead, without types. */
export type Changed = { readonly file: string; readonly source: string };

const root = new URL("../../", import.meta.url).href;
const SUITE = "test/mutate/suite.ts";

export type Graphs = {
  /** Begins a copy; gives its number. */
  readonly begin: (changed?: Changed) => number;
  /** Imports one of our files into a copy. */
  readonly load: (copy: number, file: string) => Promise<unknown>;
  /** The file that a module of a copy came from; undefined for what is not of that copy. */
  readonly fileOf: (copy: number, url: string) => string | undefined;
  /** Where mutants stand in for uvu. */
  readonly suite: string;
};

/** What all copies share. */
const SHARED = 0;
const ofCopy = (url: string, copy: number): string => `${url}?copy=${copy}`;

/** At most once a process. */
export function openGraphs(): Graphs {
  const changes = new Map<number, Changed>();
  const texts = new Map<string, string>();
  let last = 0;

  const textOf = (url: string): string => {
    const known = texts.get(url);
    if (known !== undefined) return known;
    const text = strip(readFileSync(new URL(url), "utf8"));
    texts.set(url, text);
    return text;
  };
  const copyOf = (url: string | undefined): number | undefined => {
    const found = url === undefined ? null : /\?copy=(\d+)$/.exec(url);
    return found === null ? undefined : Number(found[1]);
  };

  const isOurs = (url: string): boolean =>
    url.startsWith(root) && !url.includes("/node_modules/") && url.endsWith(".ts");
  const leads = new Map<string, ReadonlySet<string>>();
  /** All that a module of ours leads to, itself included. */
  const leadsTo = (from: string): ReadonlySet<string> => {
    const known = leads.get(from);
    if (known !== undefined) return known;
    const met = new Set([from]);
    // What is added on the way is walked too.
    for (const url of met)
      for (const other of importsOf(url, textOf(url))) if (isOurs(other)) met.add(other);
    leads.set(from, met);
    return met;
  };
  /** The copy that a module belongs to where one of this number asks for it. */
  const numberOf = (url: string, asking: number): number => {
    const changed = changes.get(asking);
    if (asking === SHARED || changed === undefined) return asking;
    const isNew = url.startsWith(`${root}test/`) || leadsTo(url).has(root + changed.file);
    return isNew ? asking : SHARED;
  };

  registerHooks({
    resolve: (specifier, context, next) => {
      const copy = copyOf(context.parentURL);
      if (copy === undefined) return next(specifier, context);
      if (specifier === "uvu") return { url: ofCopy(root + SUITE, copy), shortCircuit: true };
      const found = next(specifier, context);
      if (!isOurs(found.url)) return found;
      return { ...found, url: ofCopy(found.url, numberOf(found.url, copy)) };
    },
    load: (url, context, next) => {
      const copy = copyOf(url);
      if (copy === undefined) return next(url, context);
      const plain = url.slice(0, url.indexOf("?"));
      const changed = changes.get(copy);
      const source = changed !== undefined && plain === root + changed.file ? changed.source : "";
      return { format: "module", source: source || textOf(plain), shortCircuit: true };
    },
  });

  return {
    suite: SUITE,
    begin: (changed) => {
      changes.delete(last);
      last += 1;
      if (changed !== undefined) changes.set(last, changed);
      return last;
    },
    load: (copy, file) => import(ofCopy(root + file, copy)),
    fileOf: (copy, url) => {
      const mine = copyOf(url) === copy && url.startsWith(root);
      return mine ? url.slice(root.length, url.indexOf("?")) : undefined;
    },
  };
}
