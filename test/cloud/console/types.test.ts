/** The page's modules are plain JavaScript with types in comments: this is what checks them. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

const FOLDER = fileURLToPath(new URL("../../../cloud/console/static/", import.meta.url));
const TSC = fileURLToPath(new URL("../../../node_modules/.bin/tsc", import.meta.url));
const OPTIONS =
  "--ignoreConfig --noEmit --allowJs --checkJs --strict --noUncheckedIndexedAccess --noPropertyAccessFromIndexSignature " +
  "--target esnext --module esnext --moduleResolution bundler --lib esnext,dom,dom.iterable,dom.asynciterable --types node";

test("the page's modules keep the types their comments promise", () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".js"));
  assert.ok(files.length > 0);
  const { status, stdout } = spawnSync(TSC, [...OPTIONS.split(" "), ...files], {
    cwd: FOLDER,
    encoding: "utf8",
  });
  assert.is(status, 0, stdout);
});

test.run();
