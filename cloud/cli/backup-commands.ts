/** `backup`, `backup list`, `restore`: copies of a data directory, and the way back (P-90). */
import { resolve } from "node:path";
import {
  BACKUP_SETS,
  KEY_BACKUP_DAYS_DEFAULT,
  listBackups,
  makeBackup,
  restoreBackup,
} from "@kerbside/tenants";
import { dataDirectory, readSecret, stageHere } from "../config.ts";
import { type Command, DATA_OPTION, DEV_OPTION, type Input, JSON_OPTION } from "./command.ts";
import { byOperator } from "./open.ts";

const OFFSITE_OPTION = {
  value: "DIR",
  required: true,
  doc: "where the backups are, off this site",
};
/** An erasure is certified as soon as no backup that is younger can hold its keys. */
const KEYS_DAYS_MAX = KEY_BACKUP_DAYS_DEFAULT;
/** Progress is told this often, in milliseconds. */
const TOLD_MS = 1000;

export const BACKUP_COMMANDS: readonly Command[] = [
  {
    name: "backup",
    summary: "Adds an encrypted backup of everything, while the cloud runs.",
    options: {
      data: DATA_OPTION,
      dev: DEV_OPTION,
      json: JSON_OPTION,
      to: OFFSITE_OPTION,
      "keys-only": { doc: "only the subject keys: often, so that an erasure is never undone" },
      "keys-days": { value: "N", default: "30", doc: "how long a backup of subject keys lives" },
    },
    run: backup,
  },
  {
    name: "backup list",
    summary: "Lists the backups that are whole, oldest first.",
    options: { json: JSON_OPTION, from: OFFSITE_OPTION },
    run: async (input) => {
      for (const set of BACKUP_SETS)
        for (const { name, atMs } of listBackups(resolve(input.text("from")), set)) {
          const at = new Date(atMs).toISOString();
          input.print({ set, name, at }, `${set.padEnd(6)}  ${name}  ${at}`);
        }
      return 0;
    },
  },
  {
    name: "restore",
    summary: "Brings a backup into an empty data directory, and verifies its audit trails.",
    options: {
      data: { ...DATA_OPTION, doc: "the empty data directory" },
      json: JSON_OPTION,
      from: OFFSITE_OPTION,
      set: { value: "NAME", doc: "which set of stores; default: the newest" },
    },
    run: restore,
  },
];

/** On standard error, a line a second: standard output is for the result. */
function progressOf(input: Input, what: string) {
  let toldMs = performance.now();
  return ({ path, bytes, of }: { path: string; bytes: number; of: number }): void => {
    const now = performance.now();
    if (now - toldMs < TOLD_MS) return;
    toldMs = now;
    const share = of === 0 ? "" : ` of ${megabytes(of)}`;
    input.err(`${what}: ${megabytes(bytes)}${share} (${path})\n`);
  };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

async function backup(input: Input): Promise<number> {
  const keysDays = input.integer("keys-days", 1, KEYS_DAYS_MAX);
  const dir = dataDirectory(input.text("data"));
  const backupKey = readSecret("backup-key", { dir, dev: input.flag("dev"), env: input.env });
  const startMs = performance.now();
  const made = await makeBackup({
    ...{ dir, to: resolve(input.text("to")), backupKey, nowMs: Date.now(), keysDays },
    keysOnly: input.flag("keys-only"),
    told: progressOf(input, "backup"),
  });
  const tookMs = Math.round(performance.now() - startMs);
  input.print(
    { ...made, tookMs },
    `stores ${made.stores ?? "left out"}, keys ${made.keys}: ${megabytes(made.bytes)} in ${tookMs} ms; ${made.keysRemoved} old sets of keys removed`,
  );
  return 0;
}

async function restore(input: Input): Promise<number> {
  const dir = resolve(input.text("data"));
  const from = resolve(input.text("from"));
  // Not in the directory, which is empty.
  const secret = (name: "master-key" | "backup-key") =>
    readSecret(name, { dir: from, dev: false, env: input.env });
  const set = input.optional("set");
  const startMs = performance.now();
  const done = await restoreBackup({
    ...{ from, dir, backupKey: secret("backup-key"), masterKey: secret("master-key") },
    ...(set === undefined ? {} : { set }),
    stage: stageHere(input.env),
    audit: byOperator(input, "restore", "platform"),
    told: progressOf(input, "restore"),
  });
  const tookMs = Math.round(performance.now() - startMs);
  const problems = done.trails.flatMap(({ trail, problems: of }) =>
    of.map((p) => `${trail}: ${p}`),
  );
  input.print(
    { ...done, at: new Date(done.atMs).toISOString(), ok: problems.length === 0, tookMs },
    [
      `restored ${done.set} in ${tookMs} ms, with keys ${done.keys}`,
      `${done.erasedAgain} people and ${done.removedAgain} tenants had been erased since, and are again`,
      `audit trails: ${problems.length === 0 ? "ok" : problems.join("; ")}`,
    ].join("\n"),
  );
  return problems.length === 0 ? 0 : 1;
}
