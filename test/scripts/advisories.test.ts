/** P-95: the bill of materials, advisories held against it, and the registers of findings and of ASVS. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareVersions, hitsOf } from "../../scripts/advisories.ts";
import { billOf } from "../../scripts/sbom.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const dir = mkdtempSync(join(tmpdir(), "kerbside-advisories-"));
test.after(() => rmSync(dir, { recursive: true, force: true }));

test("P-95 the bill names every package of the lock file once, with its hash", () => {
  const lock = JSON.parse(read("package-lock.json"));
  const bill = billOf(lock);
  const { dependencies } = JSON.parse(read("cloud/broker/package.json"));
  const purls = bill.components.map(({ purl }) => purl);
  assert.is(new Set(purls).size, purls.length);
  assert.ok(purls.includes(`pkg:npm/aedes@${dependencies.aedes}`), "what the broker is made of");
  assert.is(purls.filter((purl) => purl.includes("kerbside")).length, 0, "parts of others only");
  const bundled = new Set(
    Object.entries<{ version: string; inBundle?: true }>(lock.packages)
      .filter(([, { inBundle }]) => inBundle)
      .map(([path, { version }]) => `${path.split("node_modules/").at(-1)}@${version}`),
  );
  const bare = bill.components.filter(
    ({ hashes, name, version }) => hashes.length === 0 && !bundled.has(`${name}@${version}`),
  );
  assert.equal(bare, [], "without a hash of its own or of what it came in, it may be anything");
});

test("a package that stands in two places has the stronger need, and its own name", () => {
  const bill = billOf({
    packages: {
      "": { name: "ours", version: "1.0.0" },
      "shared/ours": { version: "1.0.0" },
      "node_modules/ours": { link: true, resolved: "shared/ours" },
      "node_modules/@a/b": { version: "1.0.0", dev: true },
      "node_modules/c/node_modules/@a/b": { version: "1.0.0" },
      "node_modules/d": { name: "really-d", version: "2.0.0", optional: true },
    },
  });
  assert.equal(
    bill.components.map(({ purl, scope }) => [purl, scope]),
    [
      ["pkg:npm/%40a/b@1.0.0", "required"],
      ["pkg:npm/really-d@2.0.0", "optional"],
    ],
  );
});

test("versions are in the order of Semantic Versioning § 11", () => {
  const inOrder =
    "0 0.0.1 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.10.0 2.0.0";
  const versions = inOrder.split(" ");
  for (const [i, a] of versions.entries())
    for (const [j, b] of versions.entries())
      assert.is(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} and ${b}`);
  assert.is(compareVersions("1.0.0+a", "1.0.0+b"), 0);
  assert.throws(() => compareVersions("1.0", "1.0.0"), "what cannot be read passes nothing");
});

const range = (...events: readonly Readonly<Record<string, string>>[]) => ({
  ranges: [{ type: "SEMVER", events }],
});

test("P-95 an advisory hits the versions that it names and no others", () => {
  const rows = [
    { why: "before it came in", at: "1.1.9", of: range({ introduced: "1.2.0" }), hit: false },
    { why: "from where it came in", at: "1.2.0", of: range({ introduced: "1.2.0" }), hit: true },
    {
      why: "mended there",
      at: "1.4.2",
      of: range({ introduced: "0" }, { fixed: "1.4.2" }),
      hit: false,
    },
    {
      why: "a release before that is not mended",
      at: "1.4.2-rc.1",
      of: range({ introduced: "0" }, { fixed: "1.4.2" }),
      hit: true,
    },
    {
      why: "events in any order, in again",
      at: "2.0.1",
      of: range({ fixed: "1.4.2" }, { introduced: "2.0.0" }, { introduced: "0" }),
      hit: true,
    },
    {
      why: "the last one",
      at: "1.4.2",
      of: range({ introduced: "0" }, { last_affected: "1.4.2" }),
      hit: true,
    },
    {
      why: "after the last one",
      at: "1.4.3",
      of: range({ introduced: "0" }, { last_affected: "1.4.2" }),
      hit: false,
    },
    { why: "by name", at: "1.4.3", of: { versions: ["1.4.3"] }, hit: true },
    { why: "nothing named", at: "1.4.3", of: {}, hit: false },
  ];
  const of = (name: string, ecosystem = "npm") => ({ package: { ecosystem, name } });
  for (const { why, at, of: what, hit } of rows) {
    const part = [{ name: "leftpad", version: at }];
    const hits = (package_: object, more: object = {}) =>
      hitsOf(part, [{ id: "X-1", affected: [{ ...package_, ...what }], ...more }]).length;
    assert.is(hits(of("leftpad")), hit ? 1 : 0, why);
    assert.is(hits(of("rightpad")) + hits(of("leftpad", "PyPI")), 0, "another package");
    assert.is(hits(of("leftpad"), { withdrawn: "2026-01-01T00:00:00Z" }), 0, "withdrawn");
  }
});

test("P-95 the check ends with 1 for what nobody accepted, and again when that is over", () => {
  const write = (name: string, content: unknown): string => {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const sbom = write("bom.json", { components: [{ name: "leftpad", version: "1.0.0" }] });
  const affected = [{ package: { ecosystem: "npm", name: "leftpad" }, versions: ["1.0.0"] }];
  const advisories = write("osv.json", [{ id: "GHSA-a-b-c", summary: "pads", affected }]);
  const register = write(
    "register.md",
    "| GHSA-a-b-c | `leftpad` | not called | 2026-01-01 | 2026-01-31 |\n",
  );
  const run = (...words: readonly string[]) => {
    const args = [join(root, "scripts/advisories.ts"), ...words];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    return [status, stdout.split(" ")[0]];
  };
  const both = ["--sbom", sbom, "--advisories", advisories];
  const other = write("none.json", [{ id: "GHSA-x", affected: [] }]);
  assert.equal(run(...both), [1, "open"]);
  assert.equal(run(...both, "--register", register, "--today", "2026-01-31"), [0, "accepted"]);
  assert.equal(run(...both, "--register", register, "--today", "2026-02-01"), [1, "open"]);
  assert.equal(run("--sbom", sbom, "--advisories", other), [0, "1"]);
  assert.is(run("--sbom", sbom)[0], 2);
  assert.is(run("--sbom", sbom, "--advisories", sbom)[0], 2, "that is no advisory");
});

const DAY = /^2\d{3}-\d\d-\d\d$/;
const rowsOf = (document: string, id: RegExp): readonly (readonly string[])[] =>
  document
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter(([, first = ""]) => id.test(first))
    .map((cells) => cells.slice(1, -1));
const cited = (words: string): readonly string[] =>
  [...words.matchAll(/`(test\/[^`]+)`/g)].map(([, path = ""]) => path);

test("P-95 each finding has its days, who found it, and a test that is there", () => {
  const rows = rowsOf(read("docs/findings.md"), /^F-\d+$/);
  assert.equal(
    rows.map(([id]) => id),
    rows.map((_, i) => `F-${i + 1}`),
  );
  for (const [id, found = "", by, words, severity = "", mended = "", shown = ""] of rows) {
    assert.match(found, DAY, id);
    assert.ok(by !== "" && words !== "", id);
    assert.ok(["critical", "high", "medium", "low"].includes(severity), id);
    if (mended === "") continue;
    assert.ok(DAY.test(mended) && mended >= found, `${id}: mended after it was found`);
    assert.ok(
      cited(shown).length > 0 && cited(shown).every((path) => existsSync(join(root, path))),
    );
  }
});

/** Requirements of levels 1 and 2 in ASVS 5.0.0, by its own table (CSV, column L). */
const REQUIREMENTS = 253;

test("P-95 each requirement of ASVS levels 1 and 2 has a row with a test that is there, a reason, or open", () => {
  const document = read("docs/asvs.md");
  const rows = rowsOf(document, /^V\d+\.\d+\.\d+$/);
  assert.is(new Set(rows.map(([id]) => id)).size, REQUIREMENTS);
  assert.is(rows.length, REQUIREMENTS);
  const counts = new Map<string, number>();
  for (const [id, level = "", about, state = "", words = ""] of rows) {
    assert.ok(["1", "2"].includes(level) && about !== "", id);
    assert.ok(["test", "reason", "none", "open"].includes(state), id);
    for (const path of cited(words)) assert.ok(existsSync(join(root, path)), `${id}: ${path}`);
    if (state === "test") assert.ok(cited(words).length > 0, `${id}: names no test`);
    else assert.ok(words.length > 3, `${id}: says why`);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const told = [...document.matchAll(/(\d+) (?:are shown|have a reason|do not|are open)/g)];
  assert.equal(
    told.map(([, count]) => Number(count)),
    ["test", "reason", "none", "open"].map((state) => counts.get(state)),
    "the words above the table",
  );
});

test.run();
