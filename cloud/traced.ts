/**
 * The parts of the node as they are while traces are on: the same, with their work told as spans. Without traces they
 * are the parts themselves, and nothing of OpenTelemetry is loaded.
 */
import type { SignerClient } from "@kerbside/commands";
import {
  type Clock,
  type CommandRecord,
  type Downlink,
  type Log,
  type OpenSpan,
  type SourceMessage,
  systemRandom,
  type Tracing,
  toHex,
} from "@kerbside/protocol";
import type { Home, Homes } from "./homes.ts";
import type { TracesOptions } from "./traces.ts";

type Messages = (message: SourceMessage) => Promise<void>;
export type TracedNode = {
  /** Undefined where nothing is traced. */
  readonly tracing?: Tracing;
  readonly homes: (homes: Homes) => Homes;
  readonly signer: (signer: SignerClient) => SignerClient;
  readonly downlink: (downlink: Downlink) => Downlink;
  readonly messages: (handle: Messages) => Messages;
  readonly ended: (record: CommandRecord) => void;
  readonly metrics: () => string;
  readonly close: () => Promise<void>;
};
const UNTRACED: TracedNode = {
  homes: (homes) => homes,
  signer: (signer) => signer,
  downlink: (downlink) => downlink,
  messages: (handle) => handle,
  ended: () => undefined,
  metrics: () => "",
  close: async () => undefined,
};

export async function tracedNode(
  options: TracesOptions | undefined,
  parts: { readonly clock: Clock; readonly log: Log },
): Promise<TracedNode> {
  if (options === undefined) return UNTRACED;
  const { startTraces } = await import("./traces.ts");
  const { fraction } = systemRandom;
  const { tracing, metrics, close } = startTraces({
    ...{ ...options, ...parts, fraction, service: "node" },
  });
  const answers = new AnswerSpans(tracing);
  return {
    tracing,
    homes: (homes) => toldHomes(homes, tracing),
    signer: (signer) => answers.signer(signer),
    downlink: (downlink) => answers.downlink(downlink),
    messages: (handle) => toldMessages(handle, tracing),
    ended: (record) => answers.ended(record),
    metrics,
    close,
  };
}

/** Commands whose answer is waited for; above that the oldest is told as it stands. */
const ANSWERS_MAX = 1000;

/** From the sending of a command to its end, by the envelope that the signer made. */
class AnswerSpans {
  readonly #tracing: Tracing;
  readonly #signed = new WeakMap<Uint8Array, { readonly id: string; readonly action: string }>();
  /** By command. */
  readonly #open = new Map<string, OpenSpan>();

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  signer(signer: SignerClient): SignerClient {
    const told = toldCalls(signer, "signer", this.#tracing);
    return {
      ...told,
      signCommand: async (token, order, proof, recorded) => {
        const signed = await told.signCommand(token, order, proof, recorded);
        this.#signed.set(signed.envelope, { id: toHex(order.id), action: order.action });
        return signed;
      },
    };
  }

  downlink({ send }: Downlink): Downlink {
    return {
      send: async (to, channel, payload) => {
        if (!this.#tracing.running()) return send(to, channel, payload);
        const of = this.#signed.get(payload);
        // Begun before the sending: an answer may be there before the broker says that it is sent.
        if (of !== undefined) this.#begin(of.id, of.action);
        await this.#tracing.span("broker.send", { fields: { channel } }, () =>
          send(to, channel, payload),
        );
      },
    };
  }

  ended({ id, state }: CommandRecord): void {
    this.#end(id, state);
  }

  #begin(id: string, action: string): void {
    const span = this.#tracing.open("car.answer", { action });
    if (span === undefined) return;
    const [oldest] = this.#open.keys();
    if (this.#open.size >= ANSWERS_MAX && oldest !== undefined) this.#end(oldest, "unheard");
    this.#end(id, "again");
    this.#open.set(id, span);
  }

  #end(id: string, outcome: string): void {
    const span = this.#open.get(id);
    this.#open.delete(id);
    span?.note({ outcome });
    span?.end();
  }
}

/** Tenants whose stores tell what is asked of them. */
function toldHomes(homes: Homes, tracing: Tracing): Homes {
  // The same object for the same store, as others know it by that.
  const told = new WeakMap<Home["store"], Home["store"]>();
  return async (id) => {
    const home = await homes(id);
    if (home === undefined) return undefined;
    const store = told.get(home.store) ?? toldCalls(home.store, "store", tracing);
    told.set(home.store, store);
    return { ...home, store };
  };
}

function toldMessages(handle: Messages, tracing: Tracing): Messages {
  return (message) => {
    const { tenant, channel, lane } = message.topic;
    const name = channel === "up" ? "ingest.segment" : "car.message";
    const fields = {
      ...{ tenant, channel, bytes: message.payload.length },
      ...(lane === undefined ? {} : { lane }),
    };
    return tracing.span(name, { fields }, () => handle(message));
  };
}

/** The same object with each call that answers later told as a span, where a trace runs. */
function toldCalls<T extends object>(of: T, name: "signer" | "store", tracing: Tracing): T {
  const calls = Object.entries(of).map(([operation, call]: [string, unknown]) => {
    if (typeof call !== "function") return [operation, call] as const;
    const told = (...args: readonly unknown[]): unknown => {
      if (!tracing.running()) return Reflect.apply(call, of, args);
      // A store works before it answers, so the span begins before it is asked.
      const sinceMs = performance.now();
      const answer: unknown = Reflect.apply(call, of, args);
      if (!(answer instanceof Promise)) return answer;
      const begun = { fields: { operation }, agoMs: performance.now() - sinceMs };
      return tracing.span(name, begun, () => answer);
    };
    return [operation, told] as const;
  });
  return Object.assign({ ...of }, Object.fromEntries(calls));
}
