/** The arrows of the house: who may import whom. A new workspace without a row is refused. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSources, resolveImport, workspaceFolders, workspaceOf } from "./sources.ts";

const PROTOCOL = "shared/protocol";
/** The API for whoever calls it, generated from its description. */
const CLIENT = "shared/client";
const deviceLeaves = workspaceFolders.filter((folder) => folder.startsWith("device/"));
const cloudLeaves = workspaceFolders.filter((folder) => folder.startsWith("cloud/"));

/** What a workspace may import besides itself; "any" for what nothing imports. */
function allowed(workspace: string): readonly string[] | "any" | undefined {
  if (workspace === PROTOCOL || workspace === CLIENT) return [];
  if (workspace === "cloud/console") return [PROTOCOL, CLIENT];
  if (deviceLeaves.includes(workspace) || cloudLeaves.includes(workspace)) return [PROTOCOL];
  if (workspace === "device") return [PROTOCOL, ...deviceLeaves];
  if (workspace === "cloud") return [PROTOCOL, ...cloudLeaves];
  if (workspace === "sim") return [PROTOCOL, "device/can", "device/buffer", "device/uplink"];
  return ["scenarios", "test", "bench"].includes(workspace) ? "any" : undefined;
}

test("imports run only the allowed ways", () => {
  const wrong: string[] = [];
  for (const { path, imports } of readSources()) {
    const from = workspaceOf(path);
    for (const specifier of imports) {
      const target = resolveImport(path, specifier);
      const to = target === undefined ? undefined : workspaceOf(target);
      if (target === undefined || to === undefined || to === from) continue;
      const rule =
        from === undefined
          ? ["test", "bench", "scenarios"].includes(to)
            ? []
            : "any"
          : allowed(from);
      const throughTheDoor = !specifier.startsWith(".");
      const fine = rule === "any" || (rule?.includes(to) === true && throughTheDoor);
      if (!fine) wrong.push(`${path} imports ${specifier}`);
    }
  }
  assert.equal(wrong, []);
});

test("every workspace has a rule", () => {
  assert.equal(
    workspaceFolders.filter((folder) => allowed(folder) === undefined),
    [],
  );
});

test("every index.ts opens with a paragraph about its package", () => {
  const bare = readSources().filter(
    ({ path, text }) =>
      /\/index\.ts$/.test(path) && workspaceOf(path) !== undefined && !text.startsWith("/**"),
  );
  assert.equal(
    bare.map(({ path }) => path),
    [],
  );
});

test.run();
