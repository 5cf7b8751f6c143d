/**
 * The module's end of a paired serial line, kept up over ever new connections: opened again after each end, greeted
 * anew after each silence, watched for a line that is open and dead, let rest while the module sleeps. What the
 * messages mean is their drivers'. Nothing is kept for a later connection: a message goes out now or not at all.
 */
import { type LinkCounts, type LinkStep, LOCK_GREETING_MS_MIN } from "./link-dialect.ts";
import type { LinkSession } from "./link-session.ts";
import type { Clock, Log, Timer } from "./runtime.ts";

export type LineConnection = {
  /** Whether the bytes were handed to the line; a closed one takes none. */
  readonly write: (bytes: Uint8Array) => boolean;
  readonly close: () => void;
};
export type LineEvents = {
  readonly data: (bytes: Uint8Array) => void;
  /** Once, whatever ended it. */
  readonly closed: (reason: string) => void;
};
/** Opens a new connection. Rejects if it cannot be opened. */
export type Line = (events: LineEvents) => Promise<LineConnection>;

const REOPEN_MS_MIN = 200;
/** Somebody may stand at the door when the plug is put back. A try that is hung up takes 0.3 ms of CPU. */
export const LINE_REOPEN_MS_MAX = 2000;
/**
 * An open line on which no session comes about for this long is closed and opened anew. A tty that was hung up may read
 * as empty for ever (Linux, pty and USB adapters): only writing to it, or this, ends it.
 */
export const LINE_WATCHDOG_MS = 15_000;

/** `silent`: no session stands. `incompatible`: the other end speaks no version that this one does. */
export type LineState = "up" | "silent" | "incompatible";

export type PairedLineOptions<M extends { readonly type: string }> = {
  /** Of the device at the other end, for the log. */
  readonly name: "lock" | "reader";
  readonly line: Line;
  readonly session: LinkSession<M>;
  readonly clock: Clock;
  readonly log: Log;
  /** What verified, in the order it came. */
  readonly onMessage: (message: LinkStep<M>["messages"][number]) => void;
  /** Called as it changes, before any message of the new session. A line at rest says nothing of itself. */
  readonly onState: (state: LineState) => void;
};

export class PairedLine<M extends { readonly type: string }> {
  readonly #options: PairedLineOptions<M>;
  #connection: LineConnection | undefined;
  #state: LineState = "silent";
  #reopenMs = REOPEN_MS_MIN;
  #openedMs = 0;
  readonly #timers = new Set<Timer>();
  /** Each start and each rest begins a new life; what an older one still opens is closed. */
  #life = 0;
  #running = false;

  constructor(options: PairedLineOptions<M>) {
    this.#options = options;
  }

  get counts(): LinkCounts {
    return this.#options.session.counts;
  }

  /** Begins to look for the other end, at the beginning or after a rest; never gives up, never throws. Idempotent. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#life += 1;
    this.#reopenMs = REOPEN_MS_MIN;
    this.#openedMs = this.#options.clock.bootMs();
    this.#open();
    this.#beat();
  }

  /** Closes the line, and tries nothing until `start`. */
  rest(): void {
    this.#running = false;
    this.#life += 1;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    const connection = this.#connection;
    this.#connection = undefined;
    this.#options.session.close();
    this.#state = "silent";
    connection?.close();
  }

  /** Sends now or not at all, and says whether the line took it. */
  send(message: M): boolean {
    const { session, clock } = this.#options;
    const sent = session.send(message, clock.bootMs());
    return sent.sent && this.#connection?.write(sent.bytesOut) === true;
  }

  #open(): void {
    const { line, session, clock, log, name } = this.#options;
    const life = this.#life;
    const isMine = (): boolean => life === this.#life;
    line({
      data: (bytes) => {
        if (isMine()) this.#step(session.receive(bytes, clock.bootMs()));
      },
      closed: (reason) => {
        if (isMine()) this.#closed(reason);
      },
    }).then(
      (connection) => {
        if (!isMine()) return connection.close();
        this.#connection = connection;
        this.#openedMs = clock.bootMs();
        connection.write(session.open(clock.bootMs()));
      },
      (error: unknown) => {
        if (!isMine()) return;
        const what = error instanceof Error ? error.message : String(error);
        if (this.#isNews) log.warn(`${name}.open_failed`, { what });
        this.#reopenLater();
      },
    );
  }

  #closed(reason: string): void {
    const { session, log, name } = this.#options;
    this.#connection = undefined;
    session.close();
    this.#noteState();
    if (this.#isNews) log.warn(`${name}.link_closed`, { reason });
    this.#reopenLater();
  }

  /** A line that stays dead is tried for ever, and not written about for ever: that is what the fault is for. */
  get #isNews(): boolean {
    return this.#reopenMs < LINE_REOPEN_MS_MAX;
  }

  #reopenLater(): void {
    this.#later(this.#reopenMs, () => this.#open());
    this.#reopenMs = Math.min(2 * this.#reopenMs, LINE_REOPEN_MS_MAX);
  }

  #beat(): void {
    const nowMs = this.#options.clock.bootMs();
    if (this.#connection !== undefined) this.#step(this.#options.session.tick(nowMs));
    // A session that was lost is greeted anew by itself; the watchdog is for a line that stays dead.
    if (this.#state !== "up" && nowMs - this.#openedMs >= LINE_WATCHDOG_MS) {
      this.#openedMs = nowMs;
      this.#connection?.close();
    }
    this.#later(LOCK_GREETING_MS_MIN, () => this.#beat());
  }

  #later(delayMs: number, run: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }

  #step({ messages, bytesOut }: LinkStep<M>): void {
    if (bytesOut.length > 0) this.#connection?.write(bytesOut);
    this.#noteState();
    for (const message of messages) this.#options.onMessage(message);
  }

  #noteState(): void {
    const { session, clock, onState } = this.#options;
    const { state } = session;
    const isStranger = state.value === "closed" && state.reason === "incompatible";
    const now: LineState = state.value === "ready" ? "up" : isStranger ? "incompatible" : "silent";
    if (now === this.#state) return;
    this.#state = now;
    if (now === "up") this.#reopenMs = REOPEN_MS_MIN;
    else this.#openedMs = clock.bootMs();
    onState(now);
  }
}
