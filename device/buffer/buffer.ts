/** The buffer as its users see it: events in, durable; segments out, until the tenant's store has them. */
import { mkdirSync } from "node:fs";
import {
  cryptoReady,
  EVENT_BYTES_MAX,
  type EventTime,
  encodeEvent,
  LANES,
  type Lane,
  laneOf,
  type NewEvent,
  ProtocolError,
  type Timer,
  toHex,
} from "@kerbside/protocol";
import type { Appended, Buffer, BufferOptions, BufferStatus } from "./contract.ts";
import { DamagedError } from "./damaged.ts";
import { type Engine, NO_SEGMENTS, openEngine, storageFailed } from "./engine.ts";
import { eventTime } from "./event-time.ts";
import { type FaultCode, type FaultReports, faultEvent, faultReports } from "./fault-reports.ts";
import type { AckOutcome } from "./forget.ts";
import { type Hearing, hearing } from "./hearing.ts";
import { BUFFER_LIMITS, type BufferLimits, commitDelayMs } from "./limits.ts";
import type { FirstEvent, IngestKey, LostNumbers } from "./log-start.ts";
import type { NextOptions, OutgoingSegment } from "./outgoing.ts";
import { type Packer, packer } from "./packer.ts";
import { syncMade } from "./set-aside.ts";
import { type UpkeepTimes, upkeepTimes } from "./upkeep-times.ts";
import { ownEvent, type Waiting } from "./waiting.ts";
import { lockForWriting, type WriterLock } from "./writer-lock.ts";

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2000;
const TRACK_WINDOW_MS = 1000;
/** What was acknowledged waits this long for a commit to go with; lost, it is only sent once more. */
const FLUSH_DELAY_MS = 1000;
const FAULTS_TOGETHER_MS = 200;

type State =
  | { readonly kind: "working"; readonly engine: Engine }
  /** `old` keeps the file open, unused, so that SQLite does not tidy up behind a disk that fails. */
  | {
      readonly kind: "failed";
      readonly error: ProtocolError;
      readonly old: Engine | undefined;
      readonly lost: LostNumbers;
      readonly retryMs: number;
    }
  | { readonly kind: "closed" };

/**
 * Opens the buffer in `dir` (made if absent, mode 0700) and starts a log. A damaged database is set aside and reported;
 * a disk that fails gives a buffer that refuses and tries again. Rejects with ProtocolError `conflict` while another
 * process writes there.
 */
export async function openBuffer(options: BufferOptions): Promise<Buffer> {
  await cryptoReady();
  return new BufferShell(options, { ...BUFFER_LIMITS, ...options.limits });
}

class BufferShell implements Buffer {
  #options: BufferOptions;
  readonly #limits: BufferLimits;
  readonly #faults: FaultReports;
  readonly #listeners = new Set<() => void>();
  #lock: WriterLock | undefined;
  #state: State;
  #waiting: Waiting[] = [];
  #timer: (Timer & { readonly dueMs: number }) | undefined;
  #microtask = false;
  readonly #hearing: Hearing;
  #lost = 0;
  readonly #packer: Packer;
  readonly #upkeep: UpkeepTimes;
  readonly #atExit = (): void => this.#finish();

  constructor(options: BufferOptions, limits: BufferLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#hearing = hearing(limits);
    this.#faults = faultReports(options.clock);
    this.#packer = packer(
      options.clock,
      () => (this.#state.kind === "working" ? this.#state.engine : undefined),
      () => this.#tell(),
      (engine, error) => this.#fail(engine, error),
    );
    this.#upkeep = upkeepTimes(options, {
      old: (count) => this.#reportLost("buffer.old", count),
      wake: (delayMs) => this.#wake(delayMs),
    });
    this.#state = this.#open({}, undefined, RETRY_MS_MIN, undefined);
    if (this.#state.kind === "failed" && this.#state.error.code === "conflict") {
      throw this.#state.error;
    }
    process.on("exit", this.#atExit);
    this.#later();
  }

  get previousEndedCleanly(): boolean {
    return this.#state.kind === "working" && this.#state.engine.previousEndedCleanly;
  }

  append(event: NewEvent & Partial<EventTime>, asked?: Lane): Promise<Appended> {
    return new Promise((done, failed) => {
      if (this.#state.kind === "closed") throw new ProtocolError("unavailable", "buffer: closed");
      const plain = encodeEvent({ ...eventTime(this.#options), ...event });
      if (plain.length > EVENT_BYTES_MAX) {
        throw new ProtocolError("malformed", `event: over ${EVENT_BYTES_MAX} bytes`);
      }
      if (this.#state.kind === "failed") {
        this.#lost += 1;
        this.#faults.count("buffer.storage", 1, this.#state.error.message);
        throw this.#state.error;
      }
      const lane = laneOf(event.kind, asked);
      this.#waiting.push({ lane, plain, done, failed });
      this.#plan(lane);
    });
  }

  next(options: NextOptions): OutgoingSegment | undefined {
    if (this.#state.kind !== "working") return undefined;
    const { engine } = this.#state;
    try {
      const segment = engine.next(options);
      const dropped = engine.takeDropped();
      if (dropped > 0) this.#reportLost("buffer.damaged", dropped);
      return segment;
    } catch (error) {
      this.#fail(engine, error);
      return undefined;
    }
  }

  acknowledge(message: Uint8Array): AckOutcome {
    if (this.#state.kind !== "working") return { kind: "ignored", reason: "closed" };
    try {
      const { engine } = this.#state;
      const outcome = engine.acknowledge(message);
      if (outcome.kind === "taken") {
        this.#hearing.acknowledged(this.#options.clock.bootMs(), engine.sent.size > 0);
        this.#wake(FLUSH_DELAY_MS);
      }
      return outcome;
    } catch (error) {
      this.#fail(this.#state.engine, error);
      return { kind: "ignored", reason: "closed" };
    }
  }

  online(is: boolean): void {
    const begins = this.#hearing.online(is, this.#options.clock.bootMs());
    if (begins) this.#commit((lane) => lane !== "track");
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): BufferStatus {
    const [common, state] = [{ bytesMax: this.#limits.bytesMax, lost: this.#lost }, this.#state];
    const none = { ...common, segments: NO_SEGMENTS, bytes: 0 };
    if (state.kind === "closed") return { ...none, state: "closed" };
    if (state.kind === "failed") return { ...none, state: "failed", reason: state.error.message };
    try {
      const { log, depth, bytes, held } = state.engine;
      const own = { log: toHex(log), segments: depth(), bytes: bytes(), ...held() };
      return { ...common, state: "working", ...own };
    } catch (error) {
      return { ...none, state: "failed", reason: storageFailed(error).message };
    }
  }

  renew(ingestKey: IngestKey): void {
    if (ingestKey.version === this.#options.ingestKey.version) return;
    this.#options = { ...this.#options, ingestKey };
    this.#commit();
    // Where the disk failed, the log that is tried next has the new key anyway.
    if (this.#state.kind === "working") this.#nextLog(this.#state.engine);
  }

  close(): Promise<void> {
    this.#finish();
    return Promise.resolve();
  }

  /** Sees to it that an event of this lane is committed in time. */
  #plan(lane: Lane): void {
    const delayMs = commitDelayMs(lane, this.#options.trackWindowMs ?? TRACK_WINDOW_MS);
    if (this.#waiting.length >= this.#limits.pendingEventsMax) this.#commit();
    else if (delayMs > 0) this.#wake(delayMs);
    else if (!this.#microtask) this.#soon();
  }

  /** Commits as soon as what runs now is over, so that what it appends shares the commit. */
  #soon(): void {
    this.#microtask = true;
    queueMicrotask(() => {
      this.#microtask = false;
      this.#commit();
    });
  }

  #wake(delayMs: number): void {
    const dueMs = this.#options.clock.bootMs() + delayMs;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const { cancel } = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#tick();
    });
    this.#timer = { cancel, dueMs };
  }

  #tick(): void {
    if (this.#state.kind === "failed") this.#retry(this.#state);
    else this.#commit();
  }

  /** One durable commit of all that waits, closing the segments that are due and those that `also` names. */
  #commit(also: (lane: Lane) => boolean = () => false): void {
    if (this.#state.kind !== "working") return;
    const { engine } = this.#state;
    const nowMs = this.#options.clock.bootMs();
    for (const fault of this.#faults.take()) this.#waiting.push(ownEvent(this.#options, fault));
    const batch = this.#waiting;
    this.#waiting = [];
    const due = (lane: Lane, openedAtMs: number): boolean =>
      also(lane) || nowMs - openedAtMs >= this.#hearing.growsMs(lane, nowMs);
    const closable = LANES.some((lane) => {
      const openedAtMs = engine.openedAtMs(lane);
      return openedAtMs !== undefined && due(lane, openedAtMs);
    });
    let done: ReturnType<Engine["commit"]> | undefined;
    try {
      if (batch.length > 0 || closable) done = engine.commit(batch, due, nowMs);
      else engine.flush();
    } catch (error) {
      this.#notCommitted(engine, batch, error);
      return;
    }
    for (const [i, waiting] of batch.entries()) this.#settle(engine, waiting, done?.placed[i]);
    this.#after(engine, done?.closed ?? 0, nowMs);
  }

  /** What is damaged was set aside as a whole: what was to be written is written to the database that follows it. */
  #notCommitted(engine: Engine, batch: readonly Waiting[], error: unknown): void {
    this.#fail(engine, error);
    const follows = error instanceof DamagedError && this.#state.kind === "working";
    const again = batch.filter((one) => follows && one.again !== true);
    this.#waiting = [...again.map((one) => ({ ...one, again: true as const })), ...this.#waiting];
    if (again.length > 0) this.#soon();
    const lost = batch.filter((one) => !again.includes(one));
    this.#lost += lost.length;
    this.#faults.count("buffer.storage", lost.length);
    for (const { failed } of lost) failed(storageFailed(error));
  }

  /** What was committed stays so, whatever becomes of this. */
  #after(engine: Engine, closed: number, nowMs: number): void {
    try {
      const dropped = engine.takeDropped();
      if (dropped > 0) this.#reportLost("buffer.full", dropped);
      if (closed > 0) {
        this.#hearing.closed(nowMs);
        this.#tell();
      }
      if (engine.segmentsInLane() >= this.#limits.logSegmentsMax) this.#nextLog(engine);
      this.#packer.soon();
      if (this.#state.kind === "working") this.#upkeep(this.#state.engine, nowMs);
      this.#later();
    } catch (error) {
      // Of the engine that works now: the log may have been followed by another meanwhile.
      if (this.#state.kind === "working") this.#fail(this.#state.engine, error);
    }
  }

  /** Ends the log under way in order and begins another. */
  #nextLog(engine: Engine): void {
    try {
      engine.end();
    } catch (error) {
      this.#fail(engine, error);
      return;
    }
    this.#state = this.#open({}, engine, RETRY_MS_MIN, undefined);
    if (this.#state.kind === "working") this.#state.engine.tookOver(engine);
    this.#tell();
    this.#later();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #settle(engine: Engine, { lane, done, failed }: Waiting, seq: number | undefined): void {
    if (seq !== undefined) {
      done({ lane, log: engine.log, seq });
      return;
    }
    this.#reportLost("buffer.full", 1);
    failed(new ProtocolError("limit_reached", `buffer: full, no room for ${lane}`));
  }

  #reportLost(code: FaultCode, count: number): void {
    this.#lost += count;
    this.#faults.count(code, count);
    this.#options.log.warn(code, { count });
    this.#wake(FAULTS_TOGETHER_MS);
  }

  /** Sets the alarm for the next segment that comes of age. */
  #later(): void {
    if (this.#state.kind === "failed") this.#wake(this.#state.retryMs);
    if (this.#state.kind !== "working") return;
    const nowMs = this.#options.clock.bootMs();
    for (const lane of LANES) {
      const openedAtMs = this.#state.engine.openedAtMs(lane);
      if (openedAtMs === undefined) continue;
      this.#wake(Math.max(1, openedAtMs + this.#hearing.growsMs(lane, nowMs) - nowMs));
    }
  }

  #fail(engine: Engine, cause: unknown): void {
    const damage = cause instanceof DamagedError ? cause.message : undefined;
    this.#options.log.error("buffer.failed", { reason: storageFailed(cause).message });
    // It is used no more, but for its file, and that may be for long.
    engine.wipe();
    this.#state = this.#open(engine.lastNumbers(), engine, RETRY_MS_MIN, damage);
    this.#later();
  }

  #retry(state: Extract<State, { readonly kind: "failed" }>): void {
    const wait = Math.min(RETRY_MS_MAX, 2 * state.retryMs);
    this.#state = this.#open(state.lost, state.old, wait, undefined);
    if (this.#state.kind === "working") this.#commit();
    this.#later();
  }

  /** Opens the database anew, with a new log; lets `old` go, reports faults, has what it held sent. */
  #open(
    lost: LostNumbers,
    old: Engine | undefined,
    retryMs: number,
    damage: string | undefined,
  ): State {
    const { dir, log } = this.#options;
    try {
      const made = mkdirSync(dir, { recursive: true, mode: 0o700 });
      if (made !== undefined) syncMade(dir, made);
      this.#lock ??= lockForWriting(dir);
      const setAsideEvent = (detail: string): FirstEvent => {
        const { lane, plain } = ownEvent(this.#options, faultEvent("buffer.set_aside", 1, detail));
        return { lane, plain, atMs: this.#options.clock.bootMs() };
      };
      const settings = { ...this.#options, limits: this.#limits, setAsideEvent };
      const opened = openEngine(dir, settings, lost, damage);
      old?.release();
      if (opened.setAside !== undefined) log.error("buffer.set_aside", { reason: opened.setAside });
      this.#soon();
      for (const listener of this.#listeners) listener();
      return { kind: "working", engine: opened.engine };
    } catch (error) {
      return { kind: "failed", error: storageFailed(error), old, lost, retryMs };
    }
  }

  /** Synchronous, so that it can be done while the process exits. */
  #finish(): void {
    if (this.#state.kind === "closed") return;
    process.off("exit", this.#atExit);
    this.#commit();
    this.#timer?.cancel();
    const state = this.#state;
    this.#state = { kind: "closed" };
    for (const { failed } of this.#waiting)
      failed(new ProtocolError("unavailable", "buffer: closed"));
    const engine = state.kind === "working" ? state.engine : state.old;
    try {
      if (state.kind === "working") state.engine.end();
      else state.old?.settle();
      engine?.release();
    } catch (error) {
      // The file stays open: were it closed now, SQLite would tidy up a log that does not say that it ended.
      engine?.wipe();
      this.#options.log.error("buffer.close", { reason: storageFailed(error).message });
    }
    this.#lock?.release();
  }
}
