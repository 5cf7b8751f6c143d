/**
 * Given to a process by `--import plant-hook.ts?EDIT`: makes one change of one place in the packages, as they are loaded.
 * `EDIT` is the edit as JSON in base64url.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { type Edit, edited } from "../faults/hooks.ts";

const root = new URL("../../", import.meta.url).href;
const words = Buffer.from(new URL(import.meta.url).search.slice(1), "base64url").toString("utf8");
const edit = JSON.parse(words) as Edit;

registerHooks({
  load: (url, context, next) => {
    if (url !== root + edit.file) return next(url, context);
    const source = edited(readFileSync(new URL(url), "utf8"), edit);
    return { format: "module-typescript", source, shortCircuit: true };
  },
});
