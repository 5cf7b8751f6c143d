/**
 * The loop over tenants and their webhooks: takes what is due from the stores, sends it, and writes down what came of
 * it. Any number of processes may run it over the same stores; a delivery is one's own for a while.
 */
import { randomUUID } from "node:crypto";
import { isIP } from "node:net";
import {
  type Clock,
  type Log,
  ProtocolError,
  type Random,
  type TenantId,
  type Timer,
  type WebhookDelivery,
  type WebhookStore,
} from "@kerbside/protocol";
import { messageOf } from "./message.ts";
import { nextStep, type RetryLimits } from "./retry.ts";
import type { Outcome, Send } from "./send.ts";

export type WebhookLimits = RetryLimits & {
  /** How often tenants with webhooks are looked at, and how often all are. */
  readonly lookMs: number;
  readonly sweepMs: number;
  /** For which a delivery is one process's own; longer than sending takes. */
  readonly leaseMs: number;
  /** Deliveries at a time; one a webhook. */
  readonly atOnceMax: number;
};

const HOUR_MS = 3_600_000;
export const WEBHOOK_LIMITS: WebhookLimits = {
  pauseMsFirst: 5000,
  pauseMsMax: HOUR_MS,
  attemptsMax: 12,
  unreachedMsMax: 5 * 24 * HOUR_MS,
  lookMs: 250,
  sweepMs: 5000,
  leaseMs: 30_000,
  atOnceMax: 64,
};
/** Hosts that are counted by name; the others together. */
const HOSTS_MAX = 1000;

export type WebhookParts = {
  readonly tenants: () => readonly TenantId[];
  readonly store: (tenant: TenantId) => Promise<{ readonly webhooks: WebhookStore } | undefined>;
  readonly send: Send;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<WebhookLimits>;
};
export type Delivered = "taken" | "again" | "dead" | "off";

export class WebhookWorker {
  readonly #parts: WebhookParts;
  readonly #limits: WebhookLimits;
  readonly #holder: string = randomUUID();
  readonly #closing = new AbortController();
  /** Those with webhooks that are on, as far as is known. */
  readonly #busy = new Set<TenantId>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #counts = new Map<string, number>();
  readonly #hosts = new Set<string>();
  #sweptMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    this.#limits = { ...WEBHOOK_LIMITS, ...parts.limits };
    this.#again(0);
  }

  /** What is under way is cut off; it lies in the store and is sent again by whoever comes next. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    await this.#turn;
    await Promise.allSettled(this.#underWay.values());
  }

  /** By host and what came of it, in Prometheus' text format (P-42). */
  metrics(): string {
    const name = "kerbside_webhook_deliveries_total";
    const lines = [`# HELP ${name} webhook deliveries by host`, `# TYPE ${name} counter`];
    for (const [labels, count] of this.#counts) lines.push(`${name}{${labels}} ${count}`);
    return `${lines.join("\n")}\n`;
  }

  #again(delayMs: number): void {
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#turn = this.#look().finally(() => {
        if (!this.#closing.signal.aborted) this.#again(this.#limits.lookMs);
      });
    });
  }

  async #look(): Promise<void> {
    const nowMs = this.#parts.clock.bootMs();
    const isSweep = nowMs - this.#sweptMs >= this.#limits.sweepMs;
    if (isSweep) this.#sweptMs = nowMs;
    const there = this.#attemptSync(() => this.#parts.tenants()) ?? [];
    for (const tenant of isSweep ? there : [...this.#busy]) {
      if (this.#closing.signal.aborted) return;
      if (!there.includes(tenant)) this.#busy.delete(tenant);
      else await this.#lookAt(tenant).catch((error: unknown) => this.#told(tenant, error));
    }
  }

  async #lookAt(tenant: TenantId): Promise<void> {
    const store = (await this.#parts.store(tenant))?.webhooks;
    const on = ((await store?.webhooks()) ?? []).filter(({ state }) => state.at === "on");
    if (store === undefined || on.length === 0) {
      this.#busy.delete(tenant);
      return;
    }
    this.#busy.add(tenant);
    for (const { id } of on) {
      if (this.#underWay.has(id) || this.#underWay.size >= this.#limits.atOnceMax) continue;
      const delivery = await store.claimDelivery(id, this.#holder, this.#limits.leaseMs);
      if (delivery !== undefined) this.#start(tenant, store, delivery);
    }
  }

  #start(tenant: TenantId, store: WebhookStore, delivery: WebhookDelivery): void {
    const { id } = delivery.webhook;
    const done = this.#drain(tenant, store, delivery)
      .catch((error: unknown) => this.#told(tenant, error))
      .finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, done);
  }

  /** On and on while it is taken and there is more. */
  async #drain(tenant: TenantId, store: WebhookStore, first: WebhookDelivery): Promise<void> {
    let delivery: WebhookDelivery | undefined = first;
    while (delivery !== undefined) {
      const isTaken = await this.#deliver(tenant, store, delivery);
      if (!isTaken || this.#closing.signal.aborted) return;
      const { id } = delivery.webhook;
      delivery = await store.claimDelivery(id, this.#holder, this.#limits.leaseMs);
    }
  }

  async #deliver(
    tenant: TenantId,
    store: WebhookStore,
    delivery: WebhookDelivery,
  ): Promise<boolean> {
    const { clock, random, send } = this.#parts;
    const { webhook, batch } = delivery;
    const url = new URL(webhook.url);
    const message = messageOf(delivery, clock.wallMs());
    const outcome: Outcome =
      message === undefined
        ? { at: "answered", status: 204 }
        : await send(url, message, this.#closing.signal);
    // Cut off by the end of this process: that says nothing of the receiver.
    if (this.#closing.signal.aborted && outcome.at === "failed") return false;
    const step = nextStep(
      this.#limits,
      {
        attempts: batch.attempts - 1,
        failingSinceMs: webhook.failingSinceMs,
        nowMs: clock.wallMs(),
        fraction: random.fraction(),
      },
      outcome,
    );
    await store.settleDelivery(webhook.id, batch.id, this.#holder, step);
    this.#count(url.hostname, step.at);
    if (step.at === "dead" || step.at === "off")
      this.#parts.log.warn(`webhook.${step.at}`, { tenant, id: webhook.id, what: step.why });
    return step.at === "taken";
  }

  #count(host: string, outcome: Delivered): void {
    // An address in place of a name is counted with the others: none leaves the region.
    if (this.#hosts.size < HOSTS_MAX && isIP(host.replace(/^\[|\]$/g, "")) === 0)
      this.#hosts.add(host);
    // A host name cannot hold what would end the label: the URL's parser has seen to it.
    const labels = `host="${this.#hosts.has(host) ? host : "other"}",outcome="${outcome}"`;
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + 1);
  }

  #attemptSync<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#told(undefined, error);
      return undefined;
    }
  }

  #told(tenant: TenantId | undefined, error: unknown): void {
    const code = error instanceof ProtocolError ? error.code : "unexpected";
    this.#parts.log.warn("webhook.failed", { ...(tenant === undefined ? {} : { tenant }), code });
  }
}
