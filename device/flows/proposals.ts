/**
 * What a flow says is a proposal. It becomes an event only if the flow file declares it, every field is as declared,
 * and the rate allows it. Pure: time is handed in.
 */
import type { EventData } from "@kerbside/protocol";
import type { FlowEvent, FlowField, FlowFile } from "./flow-file.ts";

const HOUR_MS = 3_600_000;
/** All flows together, whatever each may say by itself: what a car sends costs money. */
export const EVENTS_PER_MINUTE_MAX = 60;

export type Judged =
  | { readonly taken: true; readonly data: EventData<"flow.reported"> }
  | { readonly taken: false; readonly reason: RefusalReason };
export type RefusalReason = "not_declared" | "wrong_data" | "too_often";

/** So many in so long, coming back evenly. Counted in milliseconds, which add up exactly. */
class Bucket {
  readonly #inMs: number;
  readonly #costMs: number;
  #creditMs: number;
  #atMs: number;

  constructor(max: number, inMs: number, nowMs: number) {
    this.#inMs = inMs;
    this.#costMs = inMs / max;
    this.#creditMs = inMs;
    this.#atMs = nowMs;
  }

  has(nowMs: number): boolean {
    this.#creditMs = Math.min(this.#inMs, this.#creditMs + (nowMs - this.#atMs));
    this.#atMs = nowMs;
    return this.#creditMs >= this.#costMs;
  }

  take(): void {
    this.#creditMs -= this.#costMs;
  }
}

type Declared = { readonly event: FlowEvent; readonly bucket: Bucket };

/** The rates of flows that stay go on when others are replaced by making a judge with the one before. */
export class Judge {
  readonly #declared = new Map<string, Declared>();
  readonly #all: Bucket;

  constructor(flows: readonly FlowFile[], nowMs: number, before?: Judge) {
    this.#all = before?.all() ?? new Bucket(EVENTS_PER_MINUTE_MAX, 60_000, nowMs);
    for (const flow of flows) {
      for (const event of flow.events) {
        const key = keyOf(flow.name, event.name);
        const known = before?.bucketOf(key, event.perHourMax);
        const bucket = known ?? new Bucket(event.perHourMax, HOUR_MS, nowMs);
        this.#declared.set(key, { event, bucket });
      }
    }
  }

  all(): Bucket {
    return this.#all;
  }

  bucketOf(key: string, perHourMax: number): Bucket | undefined {
    const found = this.#declared.get(key);
    return found?.event.perHourMax === perHourMax ? found.bucket : undefined;
  }

  /** Never throws, whatever is handed in. */
  judge(flow: unknown, name: unknown, data: unknown, nowMs: number): Judged {
    if (typeof flow !== "string" || typeof name !== "string") return refused("not_declared");
    const declared = this.#declared.get(keyOf(flow, name));
    if (declared === undefined) return refused("not_declared");
    const values = valuesOf(declared.event, data);
    if (values === undefined) return refused("wrong_data");
    // Both are asked first: what one refuses must not cost the other.
    if (!declared.bucket.has(nowMs) || !this.#all.has(nowMs)) return refused("too_often");
    declared.bucket.take();
    this.#all.take();
    return { taken: true, data: { flow, event: name, values } };
  }
}

const keyOf = (flow: string, event: string): string => `${flow} ${event}`;
const refused = (reason: RefusalReason): Judged => ({ taken: false, reason });

type Value = EventData<"flow.reported">["values"][number];

/** Undefined: a field is missing, is not declared, or is not what was declared. */
function valuesOf(event: FlowEvent, data: unknown): readonly Value[] | undefined {
  const isRecord = typeof data === "object" && data !== null && !Array.isArray(data);
  if (!isRecord) return undefined;
  const given = new Map<string, unknown>(Object.entries(data));
  const values: Value[] = [];
  for (const [name, field] of Object.entries(event.fields)) {
    const value = checkedValue(name, field, given.get(name));
    if (value === undefined || !given.delete(name)) return undefined;
    values.push(value);
  }
  return given.size === 0 ? values : undefined;
}

function checkedValue(name: string, field: FlowField, value: unknown): Value | undefined {
  if (field.type === "number") {
    const fits = typeof value === "number" && value >= field.min && value <= field.max;
    return fits ? { name, number: value } : undefined;
  }
  if (field.type === "boolean") {
    return typeof value === "boolean" ? { name, flag: value } : undefined;
  }
  return typeof value === "string" && field.of.includes(value) ? { name, word: value } : undefined;
}
