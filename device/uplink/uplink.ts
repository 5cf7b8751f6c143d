/**
 * Keeps a connection while it can, announces the session, sends what the buffer holds within a window, takes
 * acknowledgements and commands. Everything from outside only enqueues; `#pump` drains.
 */
import {
  type Channel,
  type Lane,
  signSession,
  type Timer,
  type TransportConnection,
  topicOf,
  upTopicOf,
} from "@kerbside/protocol";
import { type Budget, FREE } from "./budget.ts";
import type { Uplink, UplinkOptions, UplinkStatus } from "./contract.ts";
import { createFlight, type Flight } from "./flight.ts";
import { type CommandAnswer, createIntake, type Intake } from "./intake.ts";
import { UPLINK_LIMITS, type UplinkLimits } from "./limits.ts";
import { createOutbox, type Outbox } from "./outbox.ts";

type Reason = "start" | "resume" | "reconnect";
type State =
  | { readonly kind: "connecting" }
  | { readonly kind: "online"; readonly connection: TransportConnection; readonly sinceMs: number }
  | { readonly kind: "waiting"; readonly wake: () => void }
  | { readonly kind: "closed" };

const NONCE_BYTES = 16;
const CRITICAL_ONLY: readonly Lane[] = ["critical"];
const NEVER: number = Number.POSITIVE_INFINITY;

/** Starts at once, and goes on until it is closed. */
export function startUplink(options: UplinkOptions): Uplink {
  return new UplinkShell(options);
}

class UplinkShell implements Uplink {
  readonly #options: UplinkOptions;
  readonly #limits: UplinkLimits;
  readonly #flight: Flight;
  readonly #budget: Budget;
  readonly #intake: Intake;
  readonly #outbox: Outbox;
  readonly #stop = new AbortController();
  readonly #unwatch: () => void;
  readonly #running: Promise<void>;
  #state: State = { kind: "connecting" };
  #reason: Reason = "start";
  #announcement = 0;
  #failures = 0;
  #newestStateFirst = true;
  #timer: Timer | undefined;
  #timeTimer: Timer;
  #pumping = false;
  #ended: string | undefined;
  #counts = {
    connections: 0,
    segmentsSent: 0,
    segmentsAcknowledged: 0,
    bytesSent: 0,
    acksIgnored: 0,
    retries: 0,
  };

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#limits = { ...UPLINK_LIMITS, ...options.limits };
    this.#flight = createFlight(this.#limits);
    this.#budget = options.budget ?? FREE;
    this.#outbox = createOutbox(this.#limits.resultsMax, options.log);
    const send = (result: Uint8Array, taken: () => void): void => {
      this.#outbox.add(result, taken);
      this.#sendResults();
    };
    this.#intake = createIntake({ ...options, send });
    this.#unwatch = options.buffer.watch(() => this.#soon());
    this.#timeTimer = this.#keepTime();
    this.#running = this.#run();
  }

  status(): UplinkStatus {
    const reason = this.#ended === undefined ? {} : { reason: this.#ended };
    return {
      state: this.#state.kind,
      ...this.#counts,
      underWay: this.#flight.underWay(),
      spent: this.#budget.spent(),
      ...reason,
    };
  }

  report(answer: CommandAnswer): void {
    this.#intake.report(answer);
  }

  announce(): void {
    if (this.#state.kind === "online") this.#announce(this.#state.connection, "change");
  }

  resumed(): void {
    if (this.#state.kind === "online") this.#drop(this.#state.connection);
    this.#options.session.renew();
    this.#announcement = 0;
    this.#reason = "resume";
    this.#failures = 0;
    if (this.#state.kind === "waiting") this.#state.wake();
  }

  async close(): Promise<void> {
    if (this.#state.kind !== "closed") {
      const state = this.#state;
      this.#state = { kind: "closed" };
      this.#unwatch();
      this.#timer?.cancel();
      this.#timeTimer.cancel();
      if (state.kind === "waiting") state.wake();
      if (state.kind === "online") {
        const topic = topicOf(this.#options.address, "gone");
        await state.connection.close({ topic, payload: this.#options.session.epoch() });
      }
      this.#stop.abort();
      this.#budget.close();
    }
    await this.#running;
  }

  #closed(): boolean {
    return this.#state.kind === "closed";
  }

  async #run(): Promise<void> {
    while (!this.#closed()) {
      this.#state = { kind: "connecting" };
      await this.#connectOnce();
      if (this.#closed()) return;
      await this.#pause();
    }
  }

  /** An answer that was lost or came too late, or is of weeks ago, is asked for by a new announcement. */
  #keepTime(): Timer {
    const { clock, wantsTime } = this.#options;
    return clock.after(this.#limits.timeLookMs, () => {
      if (wantsTime?.() === true) this.announce();
      this.#timeTimer = this.#keepTime();
    });
  }

  /** One connection from its beginning to its end. Never rejects. */
  async #connectOnce(): Promise<void> {
    const { transport, session, address, buffer, clock, log } = this.#options;
    // The will names the epoch that the connection is made in: a module that sleeps wakes up in another.
    await transport.ready?.(this.#stop.signal).catch(() => undefined);
    if (this.#closed()) return;
    const will = { topic: topicOf(address, "gone"), payload: session.epoch() };
    let over: (reason: string) => void = () => undefined;
    const end = new Promise<string>((resolve) => {
      over = resolve;
    });
    const events = {
      message: (channel: Channel, payload: Uint8Array) => this.#take(channel, payload),
      closed: over,
    };
    try {
      const connection = await transport.connect(events, will, this.#stop.signal);
      if (this.#closed()) {
        await connection.close(will);
        return;
      }
      this.#counts.connections += 1;
      this.#state = { kind: "online", connection, sinceMs: clock.bootMs() };
      this.#begin(connection, will.payload);
      this.#ended = await end;
      if (
        this.#state.kind === "online" &&
        clock.bootMs() - this.#state.sinceMs >= this.#limits.stableMs
      )
        this.#failures = 0;
    } catch (error) {
      this.#ended = error instanceof Error ? error.message : String(error);
    }
    buffer.online(false);
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#closed()) log.warn("uplink.ended", { reason: this.#ended, ...this.#told() });
  }

  /** Since the start: what an operator may want to see grow, or not grow. */
  #told(): { readonly segments: number; readonly retries: number; readonly bytes: number } {
    const { segmentsSent: segments, retries, bytesSent: bytes } = this.#counts;
    return { segments, retries, bytes };
  }

  #begin(connection: TransportConnection, willEpoch: Uint8Array): void {
    const { address, session, buffer, log } = this.#options;
    if (session.epoch() !== willEpoch) {
      // It resumed while connecting: the will of this connection speaks of an epoch that is over.
      void connection.close({ topic: topicOf(address, "gone"), payload: willEpoch });
      return;
    }
    log.info("uplink.online", { connections: this.#counts.connections });
    this.#flight.restart();
    this.#newestStateFirst = true;
    this.#announce(connection);
    this.#sendResults();
    buffer.online(true);
    this.#soon();
  }

  #announce(connection: TransportConnection, why?: "change"): void {
    const { address, session, random, agentVersion, profile, signingKey } = this.#options;
    this.#announcement += 1;
    const timeNonce = random.bytes(NONCE_BYTES);
    this.#options.onNonce?.(timeNonce);
    const envelope = signSession(signingKey, {
      ...this.#options.announces?.(),
      ...address,
      epoch: session.epoch(),
      sessionMs: session.sessionMs(),
      reason: why ?? this.#reason,
      announcement: this.#announcement,
      timeNonce,
      agentVersion,
      profile,
    });
    if (why === undefined) this.#reason = "reconnect";
    this.#publish(connection, topicOf(address, "session"), envelope);
  }

  /**
   * Publishes, and gives the connection up where the broker does not take the message in time: a half-open one is
   * found by that, or by its keep-alive. `taken` is called when it has.
   */
  #publish(
    connection: TransportConnection,
    topic: string,
    payload: Uint8Array,
    taken: () => void = () => undefined,
  ): void {
    const timer = this.#options.clock.after(this.#limits.publishTimeoutMs, () =>
      this.#drop(connection),
    );
    this.#counts.bytesSent += payload.length;
    connection.publish(topic, payload).then(
      () => {
        timer.cancel();
        taken();
      },
      // It has ended, or does so now; whatever was on the way is sent again on the next one.
      () => {
        timer.cancel();
        this.#drop(connection);
      },
    );
  }

  /** Ends a connection from this side, saying so where that can still be heard. */
  #drop(connection: TransportConnection): void {
    const { address, session } = this.#options;
    void connection.close({ topic: topicOf(address, "gone"), payload: session.epoch() });
  }

  #sendResults(): void {
    if (this.#state.kind !== "online") return;
    const { connection } = this.#state;
    const topic = topicOf(this.#options.address, "result");
    for (const result of this.#outbox.unsent(connection)) {
      this.#publish(connection, topic, result, () => this.#outbox.taken(result));
    }
  }

  #take(channel: Channel, payload: Uint8Array): void {
    if (this.#closed()) return;
    switch (channel) {
      case "ack":
        this.#acknowledge(payload);
        break;
      case "command":
        void this.#intake.take(payload);
        break;
      default:
        this.#options.other?.(channel, payload);
    }
  }

  #acknowledge(payload: Uint8Array): void {
    const outcome = this.#options.buffer.acknowledge(payload);
    if (outcome.kind === "ignored") {
      this.#counts.acksIgnored += 1;
      this.#options.log.warn("ack.ignored", { reason: outcome.reason });
      return;
    }
    this.#flight.acknowledged(outcome.forgotten);
    this.#counts.segmentsAcknowledged += outcome.forgotten.length;
    if (outcome.forgotten.length > 0) this.#failures = 0;
    this.#soon();
  }

  #soon(): void {
    if (this.#pumping || this.#state.kind !== "online") return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  /** Sends while the window has room and the buffer has something. */
  #pump(): void {
    if (this.#state.kind !== "online") return;
    const { connection } = this.#state;
    const { buffer, clock, address, log } = this.#options;
    const overdue = this.#flight.expire(clock.bootMs());
    this.#counts.retries += overdue;
    if (overdue > 0) log.warn("uplink.overdue", { segments: overdue });
    for (;;) {
      const skip = this.#flight.skip();
      const lanes = this.#sendable();
      const segment = buffer.next({ skip, newestStateFirst: this.#newestStateFirst, lanes });
      if (segment === undefined) break;
      if (segment.lane === "state") this.#newestStateFirst = false;
      this.#flight.sent(segment.key, clock.bootMs());
      this.#counts.segmentsSent += 1;
      this.#budget.spend(segment.lane, segment.message.length);
      this.#publish(connection, upTopicOf(address, segment.lane), segment.message);
    }
    this.#timer?.cancel();
    const nextMs = Math.min(this.#flight.nextMs() ?? NEVER, this.#budget.nextMs() ?? NEVER);
    this.#timer =
      nextMs === NEVER
        ? undefined
        : clock.after(Math.max(1, nextMs - clock.bootMs()), () => this.#soon());
  }

  /** Lanes that may send now. What matters most has room in the window even where a backlog fills it. */
  #sendable(): readonly Lane[] {
    if (this.#flight.room()) return this.#budget.open();
    return this.#flight.room(this.#limits.windowCriticalSegments) ? CRITICAL_ONLY : [];
  }

  /** Waits a random time below a bound that doubles with each failure (full jitter), or until it is woken. */
  async #pause(): Promise<void> {
    const { backoffMsMin, backoffMsMax } = this.#limits;
    const bound = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(16, this.#failures));
    this.#failures += 1;
    await new Promise<void>((wake) => {
      const timer = this.#options.clock.after(this.#options.random.fraction() * bound, wake);
      this.#state = {
        kind: "waiting",
        wake: () => {
          timer.cancel();
          wake();
        },
      };
    });
  }
}
