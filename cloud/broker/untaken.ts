/**
 * What cars said and the store of their tenant did not take: tried again here, each tenant's by itself and in its order, so
 * that one whose disk fails holds up nobody else. Whoever handed it over is told when it needs no more.
 */
import {
  type Clock,
  type Log,
  ProtocolError,
  type SourceHandler,
  type SourceMessage,
  type TenantId,
  type Timer,
} from "@kerbside/protocol";

/** Of one tenant; the oldest is given up for one more. */
const HELD_OF_TENANT_MAX = 1024;
/** As long as the broker keeps what came for a node that is away: then cars have said it anew. */
const HELD_MS_MAX = 600_000;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 30_000;

type Waiting = {
  readonly message: SourceMessage;
  readonly sinceMs: number;
  readonly settled: () => void;
};
type Queue = { readonly waiting: Waiting[]; pauseMs: number };

export type UntakenParts = {
  readonly handler: Promise<SourceHandler>;
  readonly clock: Clock;
  readonly log: Log;
};

export class Untaken {
  readonly #parts: UntakenParts;
  /** By tenant, as long as any of it waits. */
  readonly #queues = new Map<TenantId, Queue>();
  readonly #timers = new Map<TenantId, Timer>();
  #closed = false;

  constructor(parts: UntakenParts) {
    this.#parts = parts;
  }

  /** Whether something of this tenant waits: then what comes is to wait behind it. */
  holds(tenant: TenantId): boolean {
    return this.#queues.has(tenant);
  }

  /** `settled` once it was taken, or given up. Never throws. */
  hold(message: SourceMessage, settled: () => void): void {
    const { tenant } = message.topic;
    const queue = this.#queues.get(tenant) ?? { waiting: [], pauseMs: PAUSE_MS_MIN };
    queue.waiting.push({ message, sinceMs: this.#parts.clock.bootMs(), settled });
    if (queue.waiting.length > HELD_OF_TENANT_MAX) this.#giveUp(queue);
    if (this.#queues.has(tenant)) return;
    this.#queues.set(tenant, queue);
    this.#later(tenant, queue);
  }

  /** What waits is left; of it the broker hands over again what it has not been told to forget. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    for (const { waiting } of this.#queues.values())
      this.#parts.log.warn("broker.untaken_left", { count: waiting.length });
  }

  #later(tenant: TenantId, queue: Queue): void {
    if (this.#closed) return;
    const timer = this.#parts.clock.after(queue.pauseMs, () => void this.#run(tenant, queue));
    this.#timers.set(tenant, timer);
    queue.pauseMs = Math.min(PAUSE_MS_MAX, queue.pauseMs * 2);
  }

  async #run(tenant: TenantId, queue: Queue): Promise<void> {
    const handle = await this.#parts.handler;
    for (let [first] = queue.waiting; first !== undefined; [first] = queue.waiting) {
      try {
        await handle(first.message);
      } catch (error) {
        const code = error instanceof ProtocolError ? error.code : "unexpected";
        const { channel } = first.message.topic;
        this.#parts.log.warn("broker.not_taken", { channel, tenant, code });
        if (this.#parts.clock.bootMs() - first.sinceMs < HELD_MS_MAX)
          return this.#later(tenant, queue);
        if (queue.waiting[0] === first) this.#giveUp(queue);
        continue;
      }
      queue.pauseMs = PAUSE_MS_MIN;
      // It may have been given up meanwhile, for one more.
      if (queue.waiting[0] === first) queue.waiting.shift()?.settled();
    }
    this.#queues.delete(tenant);
    this.#timers.delete(tenant);
  }

  #giveUp({ waiting }: Queue): void {
    const oldest = waiting.shift();
    if (oldest === undefined) return;
    const { tenant, channel } = oldest.message.topic;
    this.#parts.log.error("broker.given_up", { tenant, channel });
    oldest.settled();
  }
}
