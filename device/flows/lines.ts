/** Lines of JSON between the agent and the cage. What comes out of the cage is hostile until it is checked. */

/** One line; a longer one ends the cage. */
export const LINE_BYTES_MAX: number = 64 * 1024;

/** What the agent says to the cage. */
export type ToCage =
  | {
      readonly type: "start";
      readonly flows: readonly { name: string; nodes: readonly unknown[] }[];
    }
  | {
      readonly type: "signals";
      readonly bootMs: number;
      readonly values: Readonly<Record<string, unknown>>;
    }
  | { readonly type: "trip"; readonly phase: "started" | "ended"; readonly data: unknown }
  | { readonly type: "ping"; readonly number: number };

/** What the cage may say. Everything in it is as the flow pleases. */
export type FromCage =
  | { readonly type: "ready" }
  | { readonly type: "pong"; readonly number: unknown }
  | {
      readonly type: "event";
      readonly flow: unknown;
      readonly event: unknown;
      readonly data: unknown;
    }
  | { readonly type: "failed" };

/** Splits bytes into lines, keeping at most one unfinished line. */
export class LineReader {
  #rest = Buffer.alloc(0);

  /** Undefined: a line was too long, and nothing that follows can be trusted to be one. */
  push(chunk: Uint8Array): readonly string[] | undefined {
    const all = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const lines: string[] = [];
    let from = 0;
    for (;;) {
      const end = all.indexOf(0x0a, from);
      if (end === -1) break;
      if (end - from > LINE_BYTES_MAX) return undefined;
      lines.push(all.toString("utf8", from, end));
      from = end + 1;
    }
    this.#rest = Buffer.from(all.subarray(from));
    return this.#rest.length > LINE_BYTES_MAX ? undefined : lines;
  }
}

/** Undefined for what is no line of the cage's. Never throws. */
export function parseFromCage(line: string): FromCage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) return undefined;
  const get = (key: string): unknown => (value as Readonly<Record<string, unknown>>)[key];
  switch (value.type) {
    case "ready":
      return { type: "ready" };
    case "failed":
      return { type: "failed" };
    case "pong":
      return { type: "pong", number: get("number") };
    case "event":
      return { type: "event", flow: get("flow"), event: get("event"), data: get("data") };
    default:
      return undefined;
  }
}
