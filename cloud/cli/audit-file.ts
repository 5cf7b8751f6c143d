/**
 * A trail as a file of lines, for auditors who take it elsewhere (P-51): whose it is and its first key, then each entry
 * with its hash, and after it the head that was signed there. Whoever has the file and knows the first key needs nothing
 * else to see that nothing in it was altered or left out.
 */
import { readFileSync } from "node:fs";
import { equalBytes, ProtocolError, toHex } from "@kerbside/protocol";
import {
  type AuditChain,
  type AuditReport,
  type ChainRow,
  type HeadCopy,
  verifyChain,
} from "@kerbside/tenants";

type Line = Readonly<Record<string, string | number | null>>;

/** One after the other; the store is read a page at a time. */
export function* linesOf({ owner, firstKey, heads, rows }: AuditChain): Iterable<Line> {
  yield { owner, firstKey: toHex(firstKey) };
  const bySeq = Map.groupBy(heads(), ({ seq }) => seq);
  for (let page = rows(0); page.length > 0; page = rows(page.at(-1)?.seq ?? 0))
    for (const { hash, ...row } of page) {
      yield { ...row, hash: toHex(hash) };
      for (const { seq, hash: of, signature } of bySeq.get(row.seq) ?? [])
        yield { head: seq, hash: toHex(of), signature: toHex(signature) };
    }
}

export type FileReport = AuditReport & { readonly owner: string; readonly firstKey: string };

/**
 * Of lines as `linesOf` has them, and against heads that were kept elsewhere, by trail: only they tell of an end that was
 * cut off together with its own. Throws ProtocolError `malformed`, naming the line.
 */
export function verifyFile(
  file: string,
  elsewhere: ReadonlyMap<string, readonly HeadCopy[]>,
): FileReport {
  const lines = readFileSync(file, "utf8").split("\n");
  const rows: ChainRow[] = [];
  const heads: HeadCopy[] = [];
  let from: { readonly owner: string; readonly key: Uint8Array } | undefined;
  for (const [i, text] of lines.entries()) {
    if (text === "") continue;
    const line = new Fields(`${file}, line ${i + 1}`, text);
    if (from === undefined) from = { owner: line.text("owner"), key: line.bytes("firstKey") };
    else if (line.has("head"))
      heads.push({
        seq: line.number("head"),
        ...{ hash: line.bytes("hash"), signature: line.bytes("signature") },
      });
    else rows.push(rowOf(line));
  }
  if (from === undefined) throw new ProtocolError("malformed", `${file}: expected a trail`);
  const { owner, key } = from;
  heads.push(...headsOf(owner, heads[0], elsewhere));
  return { owner, firstKey: toHex(key), ...verifyChain(rows, owner, heads, key) };
}

/** Those of the same trail: a tenant that was made anew has another one under its name. */
function headsOf(
  owner: string,
  first: HeadCopy | undefined,
  elsewhere: ReadonlyMap<string, readonly HeadCopy[]>,
): readonly HeadCopy[] {
  if (first === undefined) return [];
  return [...elsewhere].flatMap(([trail, kept]) => {
    const isNamedSo = trail === owner || trail.startsWith(`${owner}/`);
    const same = kept.find(({ seq }) => seq === first.seq);
    return isNamedSo && same !== undefined && equalBytes(same.hash, first.hash) ? kept : [];
  });
}

function rowOf(line: Fields): ChainRow {
  return {
    ...{ seq: line.number("seq"), at_ms: line.number("at_ms") },
    ...{ actor: line.text("actor"), action: line.text("action"), subject: line.text("subject") },
    ...{
      outcome: line.text("outcome"),
      reason: line.maybe("reason"),
      origin: line.maybe("origin"),
    },
    hash: line.bytes("hash"),
  };
}

/** What a line has. Throws ProtocolError `malformed`. */
class Fields {
  readonly #where: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(where: string, text: string) {
    this.#where = where;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    if (typeof value !== "object" || value === null) throw this.#refused("a JSON object");
    this.#fields = { ...value };
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== "string") throw this.#refused(`${name}: a text`);
    return value;
  }

  maybe(name: string): string | null {
    return this.#fields[name] === null ? null : this.text(name);
  }

  number(name: string): number {
    const value = this.#fields[name];
    if (!Number.isSafeInteger(value)) throw this.#refused(`${name}: a whole number`);
    return Number(value);
  }

  bytes(name: string): Uint8Array {
    const text = this.text(name);
    if (!/^(?:[0-9a-f]{2})+$/.test(text)) throw this.#refused(`${name}: hexadecimal`);
    return new Uint8Array(Buffer.from(text, "hex"));
  }

  #refused(what: string): ProtocolError {
    return new ProtocolError("malformed", `${this.#where}: expected ${what}`);
  }
}
