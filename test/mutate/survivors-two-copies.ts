/** Mutants of the small record in two copies that no test kills, each with its reason; see survivors.ts. */
import type { Explained } from "./explained.ts";

const HAS_CODE = "What the file system throws is an Error with a code.";
const IN_A_PROGRAM =
  "Seen in a program of its own, on a disk that fails: its files are not changed there.";
const BOTH_FOUND = "Two files are looked for and two are found; the types do not know that.";
const NAME_KEPT = "That a new file outlives a power cut shows only where the power is cut.";

export const TWO_COPIES: readonly Explained[] = [
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: "if (length > bytesMax || bytes.length < end + HASH_BYTES) return undefined;",
    change: "bytes.length < end + HASH_BYTES → false",
    why: "A copy that is cut has no hash that fits it, and is none by that.",
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: "if (length > bytesMax || bytes.length < end + HASH_BYTES) return undefined;",
    change: "+ → -",
    why: "A copy that is cut has no hash that fits it, and is none by that.",
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: "async function syncFolder(path: string): Promise<void> {",
    change: '{ const folder = await open(path, "r"); try { await folder.s… → {}',
    why: NAME_KEPT,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: "await folder.sync();",
    change: "await folder.sync(); → ;",
    why: NAME_KEPT,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: "await syncFolder(dirname(path));",
    change: "await syncFolder(dirname(path)); → ;",
    why: NAME_KEPT,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine:
      'const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";',
    change: "error instanceof Error → true",
    why: HAS_CODE,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine:
      'const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";',
    change: '"code" in error → true',
    why: HAS_CODE,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: 'return { value: isMissing ? "missing" : "spoilt" };',
    change: '"spoilt" → ""',
    why: IN_A_PROGRAM,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: "await handle.sync();",
    change: "await handle.sync(); → ;",
    why: NAME_KEPT,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: '.flatMap((found) => (found.value === "whole" ? [found.copy] : []))',
    change: '[] → ["mutant"]',
    why: "What has no number is above none.",
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: 'if (both[at]?.value === "missing") await make(path + suffix);',
    change: "?. → .",
    why: BOTH_FOUND,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: 'let turn: 0 | 1 = first?.value === "whole" && first.copy === newest ? 1 : 0;',
    change: "?. → .",
    why: BOTH_FOUND,
  },
  {
    file: "device/immobiliser/two-copy-file.ts",
    inLine: "if (written !== bytes.length)",
    change: "written !== bytes.length → false",
    why: IN_A_PROGRAM,
  },
];
