/** `file put|list|get|remove`: photos, documents and diagnostic bundles, by whoever runs the platform (P-32). */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import {
  FILE_BYTES_MAX,
  FILE_KIND_NAMES,
  type FileRecord,
  fileOwner,
  isFileKind,
  ProtocolError,
} from "@kerbside/protocol";
import { type Command, type Input, TENANT_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withTenant } from "./open.ts";

const OWNER_OPTION = { value: "OWNER", required: true, doc: "person:ID, booking:ID or vehicle:ID" };
const ID_OPTION = { value: "ID", required: true, doc: "id of the file" };

export const FILE_COMMANDS: readonly Command[] = [
  {
    name: "file put",
    summary: "Keeps a file, sealed under its owner's key.",
    options: {
      ...TENANT_OPTIONS,
      owner: OWNER_OPTION,
      kind: { value: "KIND", required: true, doc: `one of ${FILE_KIND_NAMES.join(", ")}` },
      from: { value: "FILE", required: true, doc: "what to keep" },
    },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const [kind, owner] = [input.text("kind"), asked(() => fileOwner(input.text("owner")))];
        if (!isFileKind(kind))
          throw new UsageError(`--kind: expected one of ${FILE_KIND_NAMES.join(", ")}`);
        const content = contentOf(input.text("from"));
        const audit = byOperator(input, "file.add", owner);
        print(input, await store.files.putFile({ kind, owner, content }, audit));
        return 0;
      }),
  },
  {
    name: "file list",
    summary: "Lists the files of an owner, newest first.",
    options: { ...TENANT_OPTIONS, owner: OWNER_OPTION },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const owner = asked(() => fileOwner(input.text("owner")));
        for (const record of await store.files.files(owner)) print(input, record);
        return 0;
      }),
  },
  {
    name: "file get",
    summary: "Writes a file out in the clear, once that is recorded.",
    options: {
      ...TENANT_OPTIONS,
      file: ID_OPTION,
      to: { value: "FILE", required: true, doc: "where to; must not be there yet" },
      reason: { value: "TEXT", required: true, doc: "why, for the audit trail" },
    },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const file = input.text("file");
        const audit = byOperator(input, "file.read", `file:${file}`, input.text("reason"));
        const content = await store.files.readFile(file, audit);
        writeFileSync(input.text("to"), content, { mode: 0o600, flag: "wx" });
        input.print({ file, bytes: content.length }, `${content.length} bytes`);
        return 0;
      }),
  },
  {
    name: "file remove",
    summary: "Removes a file, for good.",
    options: { ...TENANT_OPTIONS, file: ID_OPTION },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const file = input.text("file");
        const entry = byOperator(input, "file.remove", `file:${file}`);
        const removed = await store.files.removeFile(file, entry);
        input.print({ file, removed }, removed ? "removed" : "was not there");
        return removed ? 0 : 1;
      }),
  },
];

/** Throws ProtocolError `malformed` where it is longer than any file may be, without having read it. */
function contentOf(path: string): Uint8Array {
  if (statSync(path).size > FILE_BYTES_MAX)
    throw new ProtocolError("malformed", `${path}: expected at most ${FILE_BYTES_MAX} bytes`);
  return readFileSync(path);
}

function print(input: Input, record: FileRecord): void {
  const { file, kind, type, bytes, addedAtMs } = record;
  const added = new Date(addedAtMs).toISOString();
  input.print(record, `${file}  ${added}  ${kind}  ${type}  ${bytes}`);
}
