/**
 * Holds a bill of materials against published advisories (OSV's JSON, https://ossf.github.io/osv-schema/), both as files:
 * nothing is asked of any network. What docs/findings.md accepts until a date is told and passes until then.
 * `node scripts/advisories.ts --sbom bom.json --advisories osv.json`: exits 0 for none, 1 for any, 2 for wrong use.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

type Event = {
  readonly introduced?: string;
  readonly fixed?: string;
  readonly last_affected?: string;
};
export type Advisory = {
  readonly id: string;
  readonly aliases?: readonly string[];
  readonly summary?: string;
  readonly withdrawn?: string;
  readonly affected?: readonly {
    readonly package?: { readonly ecosystem?: string; readonly name?: string };
    readonly ranges?: readonly { readonly type?: string; readonly events?: readonly Event[] }[];
    readonly versions?: readonly string[];
  }[];
};
export type Part = { readonly name: string; readonly version: string };
export type Hit = Part & { readonly id: string; readonly summary: string };
/** A row of the register. `until`: the last day, ISO 8601. */
export type Accepted = { readonly id: string; readonly name: string; readonly until: string };

const VERSION = /^[v=]?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** Semantic Versioning 2.0.0 § 11. Throws where one is no version, so that nothing passes unread. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (const [i, number] of left.numbers.entries()) {
    const other = right.numbers[i] ?? 0;
    if (number !== other) return number < other ? -1 : 1;
  }
  if (left.before.length === 0 || right.before.length === 0)
    return right.before.length - left.before.length;
  for (let i = 0; i < Math.max(left.before.length, right.before.length); i += 1) {
    const order = compareWords(left.before[i], right.before[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function partsOf(version: string): { numbers: readonly number[]; before: readonly string[] } {
  // How advisories write "from the first on".
  if (version === "0") return { numbers: [0, 0, 0], before: ["0"] };
  const match = VERSION.exec(version.trim());
  if (match === null) throw new Error(`version: expected one like 1.2.3, got ${version}`);
  const [, major, minor, patch, before] = match;
  return { numbers: [major, minor, patch].map(Number), before: before?.split(".") ?? [] };
}

function compareWords(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const [isNumber, isOther] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber && isOther) return Number(a) - Number(b);
  if (isNumber !== isOther) return isNumber ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}

const placeOf = ({ introduced, fixed, last_affected }: Event): string =>
  introduced ?? fixed ?? last_affected ?? "0";

/** The evaluation of OSV's schema: what the last event at or before the version says. */
function isWithin(version: string, events: readonly Event[]): boolean {
  const inOrder = [...events].sort((a, b) => compareVersions(placeOf(a), placeOf(b)));
  let affected = false;
  for (const { introduced, fixed, last_affected: last } of inOrder) {
    if (introduced !== undefined && compareVersions(version, introduced) >= 0) affected = true;
    if (fixed !== undefined && compareVersions(version, fixed) >= 0) affected = false;
    if (last !== undefined && compareVersions(version, last) > 0) affected = false;
  }
  return affected;
}

/** What of these parts the advisories speak of, by part and advisory. */
export function hitsOf(parts: readonly Part[], advisories: readonly Advisory[]): readonly Hit[] {
  return parts.flatMap(({ name, version }) =>
    advisories
      .filter(({ withdrawn }) => withdrawn === undefined)
      .filter(({ affected = [] }) =>
        affected.some(
          ({ package: of, ranges = [], versions = [] }) =>
            of?.ecosystem === "npm" &&
            of.name === name &&
            (versions.includes(version) ||
              ranges.some(({ type, events = [] }) => type !== "GIT" && isWithin(version, events))),
        ),
      )
      .map(({ id, summary = "" }) => ({ name, version, id, summary })),
  );
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const ACCEPTED =
  /^\| ([\w-]+) \| `([^`]+)` \| ([^|]+) \| (\d{4}-\d\d-\d\d) \| (\d{4}-\d\d-\d\d) \|$/gm;

/** The rows of the register's table of accepted advisories. */
export function acceptedOf(register: string): readonly Accepted[] {
  return [...register.matchAll(ACCEPTED)].map(([, id = "", name = "", , , until = ""]) => ({
    ...{ id, name, until },
  }));
}

/** `today`: ISO 8601. A row counts up to and with its last day. */
export function isAccepted(hit: Hit, accepted: readonly Accepted[], today: string): boolean {
  return accepted.some(
    ({ id, name, until }) => id === hit.id && name === hit.name && until >= today,
  );
}

/** One advisory, a list of them, or what OSV's query answers. Throws for anything else. */
export function advisoriesOf(json: unknown): readonly Advisory[] {
  const { vulns } = Object(json) as { vulns?: unknown };
  const list: readonly unknown[] = Array.isArray(json)
    ? json
    : Array.isArray(vulns)
      ? vulns
      : [json];
  for (const each of list)
    if (typeof (Object(each) as { id?: unknown }).id !== "string")
      throw new Error("advisories: expected OSV records, each with an id");
  return list as readonly Advisory[];
}

function componentsOf(bill: unknown): readonly Part[] {
  const { components } = Object(bill) as { components?: unknown };
  if (!Array.isArray(components)) throw new Error("sbom: expected CycloneDX with components");
  return components as readonly Part[];
}

function main(words: readonly string[]): number {
  const root = fileURLToPath(new URL("..", import.meta.url));
  try {
    const text = { type: "string" } as const;
    const options = { sbom: text, advisories: text, register: text, today: text };
    const { values } = parseArgs({ args: [...words], options, strict: true });
    const { sbom, advisories, register = join(root, "docs/findings.md") } = values;
    const { today = new Date().toISOString().slice(0, 10) } = values;
    if (sbom === undefined || advisories === undefined || !DAY.test(today))
      throw new Error("expected --sbom FILE --advisories FILE [--register FILE] [--today DATE]");
    const json = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
    const parts = componentsOf(json(sbom));
    const known = advisoriesOf(json(advisories));
    const accepted = acceptedOf(readFileSync(register, "utf8"));
    let open = 0;
    for (const hit of hitsOf(parts, known)) {
      const passes = isAccepted(hit, accepted, today);
      open += passes ? 0 : 1;
      const { name, version, id, summary } = hit;
      process.stdout.write(
        `${passes ? "accepted" : "open"}  ${name}@${version}  ${id}  ${summary}\n`,
      );
    }
    process.stdout.write(`${parts.length} parts, ${known.length} advisories, ${open} open\n`);
    return open > 0 ? 1 : 0;
  } catch (error) {
    process.stderr.write(`advisories: ${error instanceof Error ? error.message : "failed"}\n`);
    return 2;
  }
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
