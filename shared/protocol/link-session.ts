/**
 * One half of the conversation over a paired serial line, for either role, without I/O, timers or chance of its own:
 * the lock link and the reader link are this with a table of messages each. Bytes and the time go in; messages and
 * bytes to write come out.
 *
 * A message comes out only if it was sent by the other role, under this session's key, later than all before it, and
 * within `LOCK_LATE_MS_MAX`: what is replayed, reordered, reflected, changed, held back or taken from another session
 * is counted and dropped.
 */
import { concatBytes, equalBytes } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import {
  LINK_CONTROL,
  type LinkAnswer,
  type LinkControl,
  type LinkCounts,
  type LinkDialect,
  type LinkOptions,
  type LinkPeer,
  type LinkSent,
  type LinkState,
  type LinkStep,
  LOCK_GREETING_MS_MAX,
  LOCK_GREETING_MS_MIN,
  LOCK_HEARTBEAT_MS,
  LOCK_SILENCE_MS_MAX,
} from "./link-dialect.ts";
import {
  encodeGreeting,
  type LockFrameVerdict,
  LockLinkChannel,
  lockGreetingKey,
  lockPeerOf,
  lockSessionKey,
} from "./lock-link-channel.ts";
import {
  LockLinkDecoder,
  lockFrameVerifies,
  type UnverifiedLockFrame,
} from "./lock-link-frames.ts";
import {
  decodeLockPayload,
  encodeLockPayload,
  LOCK_DEVICE_ID_BYTES,
  LOCK_NONCE_BYTES,
  LOCK_VERSION_MAX,
  LOCK_VERSION_MIN,
  type LockMessageOf,
  type LockNakReason,
  type LockRole,
  lockMessageRow,
} from "./lock-link-messages.ts";

const CONTROL: ReadonlyMap<number, LinkControl> = new Map(
  LINK_CONTROL.map((type) => [lockMessageRow(type).code, type]),
);

type Session = {
  readonly channel: LockLinkChannel;
  readonly version: number;
  readonly peer: LinkPeer;
};
type State =
  | { readonly value: "closed"; readonly reason: "new" | "shut" | "silence" | "incompatible" }
  | {
      readonly value: "hello_sent";
      readonly sinceMs: number;
      readonly hello: LockMessageOf<"hello">;
      readonly againAtMs: number;
      readonly delayMs: number;
    }
  | { readonly value: "welcome_sent"; readonly sinceMs: number; readonly next: Session }
  | {
      readonly value: "ready";
      readonly sinceMs: number;
      readonly session: Session;
      readonly heardMs: number;
      readonly spokeMs: number;
      /** A greeting answered meanwhile. The session stands until the module is heard under the new key. */
      readonly next?: Session;
    };

const NOTHING = new Uint8Array();
const HEARTBEAT_CODE = lockMessageRow("heartbeat").code;

function control(message: LinkAnswer | LockMessageOf<"heartbeat">): {
  readonly code: number;
  readonly payload: Uint8Array;
} {
  return { code: lockMessageRow(message.type).code, payload: encodeLockPayload(message) };
}

export class LinkSession<M extends { readonly type: string }> {
  readonly #dialect: LinkDialect<M>;
  readonly #options: LinkOptions;
  readonly #greetingKey: Uint8Array;
  readonly #decoder: LockLinkDecoder;
  #state: State = { value: "closed", reason: "new" };
  #macErrors = 0;
  #replays = 0;
  #late = 0;
  #malformed = 0;

  /** Throws ProtocolError `malformed` unless the pairing key has 32 bytes and the id 8. */
  constructor(dialect: LinkDialect<M>, options: LinkOptions) {
    if (options.id.length !== LOCK_DEVICE_ID_BYTES)
      throw new ProtocolError(
        "malformed",
        `${dialect.name} id: expected ${LOCK_DEVICE_ID_BYTES} bytes`,
      );
    this.#dialect = dialect;
    this.#options = options;
    this.#greetingKey = lockGreetingKey(options.pairingKey, dialect.domains);
    this.#decoder = new LockLinkDecoder(dialect.payloadBytesMax);
  }

  get state(): LinkState {
    const state = this.#state;
    if (state.value === "closed") return state;
    if (state.value !== "ready") return { value: "greeting", sinceMs: state.sinceMs };
    const { version, peer } = state.session;
    return { value: "ready", sinceMs: state.sinceMs, version, peer };
  }

  get counts(): LinkCounts {
    return {
      ...this.#decoder.counts,
      macErrors: this.#macErrors,
      replays: this.#replays,
      late: this.#late,
      malformed: this.#malformed,
    };
  }

  /** The module begins a new session, whatever was before; the controller only ever answers, and writes nothing. */
  open(nowMs: number): Uint8Array {
    if (this.#options.role === "controller") return NOTHING;
    return this.#greet(this.#options.id, nowMs, nowMs, LOCK_GREETING_MS_MIN);
  }

  /** Ends the session without a word, as when the port is closed. `open` begins a new one. */
  close(): void {
    this.#state = { value: "closed", reason: "shut" };
  }

  /** The counter under which `ack` or `nak` will speak of it; nothing is sent and nothing kept unless ready. */
  send(message: M, nowMs: number): LinkSent {
    const { name, encode } = this.#dialect;
    const { code, from, payload } = encode(message);
    if (from !== this.#options.role && from !== "both")
      throw new ProtocolError("forbidden", `${name}: ${message.type} is for the ${from} to send`);
    if (this.#isSilent(nowMs)) return { sent: false };
    const frame = this.#seal({ code, payload }, nowMs);
    return frame === undefined ? { sent: false } : { sent: true, ...frame };
  }

  /** Takes bytes from the line. Never throws for what is in them. */
  receive(bytes: Uint8Array, nowMs: number): LinkStep<M> {
    const messages: (M | LinkAnswer)[] = [];
    const out: Uint8Array[] = [this.#lapse(nowMs)];
    for (const frame of this.#decoder.push(bytes)) out.push(...this.#take(frame, messages, nowMs));
    return { messages, bytesOut: concatBytes(...out) };
  }

  /** To be called at least every `LOCK_GREETING_MS_MIN`: heartbeats, the end of silence, asking again. */
  tick(nowMs: number): LinkStep<M> {
    const lapsed = this.#lapse(nowMs);
    const state = this.#state;
    if (lapsed.length > 0) return { messages: [], bytesOut: lapsed };
    if (state.value === "hello_sent" && nowMs >= state.againAtMs) {
      const delayMs = Math.min(2 * state.delayMs, LOCK_GREETING_MS_MAX);
      return {
        messages: [],
        bytesOut: this.#greet(state.hello.moduleId, state.sinceMs, nowMs, delayMs),
      };
    }
    const due = state.value === "ready" && nowMs - state.spokeMs >= LOCK_HEARTBEAT_MS;
    return { messages: [], bytesOut: due ? this.#beat(nowMs) : NOTHING };
  }

  #isSilent(nowMs: number): boolean {
    return this.#state.value === "ready" && nowMs - this.#state.heardMs >= LOCK_SILENCE_MS_MAX;
  }

  /** Ends a session that has fallen silent; the module asks for a new one. */
  #lapse(nowMs: number): Uint8Array {
    if (!this.#isSilent(nowMs)) return NOTHING;
    this.#state = { value: "closed", reason: "silence" };
    return this.open(nowMs);
  }

  #greet(moduleId: Uint8Array, sinceMs: number, nowMs: number, delayMs: number): Uint8Array {
    const hello: LockMessageOf<"hello"> = {
      type: "hello",
      versionMin: LOCK_VERSION_MIN,
      versionMax: LOCK_VERSION_MAX,
      moduleId,
      moduleNonce: this.#options.random.bytes(LOCK_NONCE_BYTES),
    };
    const againAtMs = nowMs + delayMs;
    this.#state = { value: "hello_sent", sinceMs, hello, againAtMs, delayMs };
    return encodeGreeting(this.#greetingKey, hello);
  }

  #beat(nowMs: number): Uint8Array {
    const uptimeMs = Math.trunc(nowMs) % 2 ** 32;
    return this.#seal(control({ type: "heartbeat", uptimeMs }), nowMs)?.bytesOut ?? NOTHING;
  }

  #seal(
    message: { readonly code: number; readonly payload: Uint8Array },
    nowMs: number,
  ): { readonly counter: number; readonly bytesOut: Uint8Array } | undefined {
    if (this.#state.value !== "ready") return undefined;
    const frame = this.#state.session.channel.seal(message, nowMs);
    if (frame === undefined) return undefined; // Spent: both ends fall silent, then greet anew.
    this.#state = { ...this.#state, spokeMs: nowMs };
    return { counter: frame.counter, bytesOut: frame.bytes };
  }

  #take(
    frame: UnverifiedLockFrame,
    messages: (M | LinkAnswer)[],
    nowMs: number,
  ): readonly Uint8Array[] {
    const type = CONTROL.get(frame.type);
    const { role } = this.#options;
    if (type === "hello" || type === "welcome") {
      if (!this.#greetingVerifies(frame, role)) return [];
      return [type === "hello" ? this.#hello(frame, nowMs) : this.#welcome(frame, nowMs)];
    }
    return this.#judge(frame, nowMs) ? this.#understand(frame, messages, nowMs) : [];
  }

  #greetingVerifies(frame: UnverifiedLockFrame, role: LockRole): boolean {
    if (frame.counter === 0 && lockFrameVerifies(this.#greetingKey, lockPeerOf(role), frame))
      return true;
    this.#macErrors += 1;
    return false;
  }

  #hello(frame: UnverifiedLockFrame, nowMs: number): Uint8Array {
    const hello = this.#control(frame);
    if (hello?.type !== "hello" || this.#options.role !== "controller") return NOTHING;
    const { id, firmware, pairingKey, random } = this.#options;
    const best = Math.min(hello.versionMax, LOCK_VERSION_MAX);
    const version = best >= Math.max(hello.versionMin, LOCK_VERSION_MIN) ? best : 0;
    const welcome: LockMessageOf<"welcome"> = {
      type: "welcome",
      version,
      controllerId: id,
      moduleNonce: hello.moduleNonce,
      controllerNonce: random.bytes(LOCK_NONCE_BYTES),
      firmwareMajor: firmware.major,
      firmwareMinor: firmware.minor,
      firmwarePatch: firmware.patch,
    };
    if (version > 0) {
      const channel = new LockLinkChannel(
        lockSessionKey(pairingKey, hello, welcome, this.#dialect.domains),
        "controller",
        nowMs,
        this.#dialect.payloadBytesMax,
      );
      const next: Session = { channel, version, peer: { role: "module", id: hello.moduleId } };
      // Anybody can replay a hello: it may ask for a session, not end the one that stands.
      this.#state =
        this.#state.value === "ready"
          ? { ...this.#state, next }
          : { value: "welcome_sent", sinceMs: nowMs, next };
    }
    return encodeGreeting(this.#greetingKey, welcome);
  }

  #welcome(frame: UnverifiedLockFrame, nowMs: number): Uint8Array {
    const welcome = this.#control(frame);
    const state = this.#state;
    if (state.value !== "hello_sent" || welcome?.type !== "welcome") return NOTHING;
    if (!equalBytes(welcome.moduleNonce, state.hello.moduleNonce)) {
      this.#replays += 1;
      return NOTHING;
    }
    const { version, controllerId, firmwareMajor, firmwareMinor, firmwarePatch } = welcome;
    if (version < LOCK_VERSION_MIN || version > LOCK_VERSION_MAX) {
      this.#state = { value: "closed", reason: "incompatible" };
      return NOTHING;
    }
    const { domains, payloadBytesMax } = this.#dialect;
    const key = lockSessionKey(this.#options.pairingKey, state.hello, welcome, domains);
    const firmware = `${firmwareMajor}.${firmwareMinor}.${firmwarePatch}`;
    const peer: LinkPeer = { role: "controller", id: controllerId, firmware };
    const channel = new LockLinkChannel(key, "module", nowMs, payloadBytesMax);
    const session: Session = { channel, version, peer };
    this.#state = { value: "ready", sinceMs: nowMs, session, heardMs: nowMs, spokeMs: nowMs };
    return this.#beat(nowMs);
  }

  /** True once for each authentic frame, later than all before it and in time. */
  #judge(frame: UnverifiedLockFrame, nowMs: number): boolean {
    const state = this.#state;
    if (state.value === "ready") {
      const verdict = state.session.channel.judge(frame, nowMs);
      if (verdict === "fresh") this.#state = { ...state, heardMs: nowMs };
      if (verdict !== "forged") return this.#counted(verdict);
    }
    const next = state.value === "ready" || state.value === "welcome_sent" ? state.next : undefined;
    const verdict = next?.channel.judge(frame, nowMs) ?? "forged";
    if (next !== undefined && verdict === "fresh") {
      const since = { sinceMs: nowMs, heardMs: nowMs, spokeMs: nowMs };
      this.#state = { value: "ready", session: next, ...since };
    }
    return this.#counted(verdict);
  }

  #counted(verdict: LockFrameVerdict): boolean {
    if (verdict === "forged") this.#macErrors += 1;
    else if (verdict === "replayed") this.#replays += 1;
    else if (verdict === "late") this.#late += 1;
    return verdict === "fresh";
  }

  #understand(
    frame: UnverifiedLockFrame,
    messages: (M | LinkAnswer)[],
    nowMs: number,
  ): readonly Uint8Array[] {
    const { counter } = frame;
    if (CONTROL.has(frame.type)) {
      const message = this.#control(frame);
      // A refusal is never refused in turn: two ends that misunderstand each other would not stop.
      if (message?.type === "ack" || message?.type === "nak") messages.push(message);
      else if (message === undefined && frame.type === HEARTBEAT_CODE)
        return this.#answer({ type: "nak", counter, reason: "malformed" }, nowMs);
      return [];
    }
    const row = this.#dialect.row(frame.type);
    if (row === undefined || (row.from !== "both" && row.from !== lockPeerOf(this.#options.role))) {
      this.#malformed += 1;
      return this.#answer({ type: "nak", counter, reason: "unsupported" }, nowMs);
    }
    const message = this.#decode(() => this.#dialect.decode(frame.type, frame.payload));
    if (message === undefined) {
      const reason: LockNakReason = "malformed";
      return this.#answer({ type: "nak", counter, reason }, nowMs);
    }
    messages.push(message);
    return row.acked ? this.#answer({ type: "ack", counter }, nowMs) : [];
  }

  #answer(message: LinkAnswer, nowMs: number): readonly Uint8Array[] {
    const frame = this.#seal(control(message), nowMs);
    return frame === undefined ? [] : [frame.bytesOut];
  }

  #control(frame: UnverifiedLockFrame): ReturnType<typeof decodeLockPayload> | undefined {
    return this.#decode(() => decodeLockPayload(frame.type, frame.payload));
  }

  #decode<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#malformed += 1;
      return undefined;
    }
  }
}
