/**
 * Hands over what one connection to an outside broker brings, and answers the broker. The library brings one message at a
 * time, the next after it was told that this one is done; told so with an error it sends no PUBACK, and goes on. So what a
 * store did not take stays the broker's, which hands it over again on the next connection, and holds up nothing behind it.
 */
import {
  CHANNELS,
  type Clock,
  equalBytes,
  type Log,
  ProtocolError,
  parseTopic,
  type SourceHandler,
  type SourceMessage,
  type Topic,
} from "@kerbside/protocol";
import type { MqttClient } from "mqtt";
import type { Untaken } from "./untaken.ts";

/**
 * Messages of a connection that are not answered: half of those that the broker may have under way to it. What is above
 * it is answered, and held here alone.
 */
const UNANSWERED_MAX = 16;
/** From the moment when all of them were taken to a new connection, on which the broker asks again and is answered. */
const RENEW_MS = 1000;

/** Told to the library in place of an answer. */
const NOT_YET: Error = new Error("not taken yet");

type Answer = (error?: Error) => void;
type Unanswered = { readonly payload: Uint8Array; isTaken: boolean };

export type TakerParts = {
  readonly handler: Promise<SourceHandler>;
  readonly untaken: Untaken;
  readonly clock: Clock;
  readonly log: Log;
};

export class Taker {
  readonly #client: MqttClient;
  readonly #parts: TakerParts;
  readonly #pending = new Set<Promise<void>>();
  /** By the identifier of its packet, which the broker keeps when it hands it over again (MQTT 5 § 4.4). */
  readonly #unanswered = new Map<number, Unanswered>();

  constructor(client: MqttClient, parts: TakerParts) {
    this.#client = client;
    this.#parts = parts;
    client.handleMessage = (packet, answer) => {
      const { messageId, dup } = packet;
      const payload = new Uint8Array(Buffer.from(packet.payload));
      this.#take(packet.topic, payload, { messageId, dup }, answer);
    };
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #take(
    name: string,
    payload: Uint8Array,
    { messageId, dup }: { readonly messageId: number | undefined; readonly dup: boolean },
    answer: Answer,
  ): void {
    const topic = topicIn(name);
    if (topic === undefined || payload.length > CHANNELS[topic.channel].bytesMax) {
      this.#parts.log.warn("broker.put_aside", { bytes: payload.length });
      answer();
      return;
    }
    const known = messageId === undefined ? undefined : this.#unanswered.get(messageId);
    const isSame = known !== undefined && dup && equalBytes(known.payload, payload);
    if (messageId !== undefined && (!isSame || known.isTaken)) this.#unanswered.delete(messageId);
    if (isSame) {
      answer(known.isTaken ? undefined : NOT_YET);
      return;
    }
    const message = { topic, payload };
    const behind = topic.channel !== "up" && this.#parts.untaken.holds(topic.tenant);
    if (behind) this.#hold(message, messageId, answer);
    else this.#handOver(message, messageId, answer);
  }

  #handOver(message: SourceMessage, messageId: number | undefined, answer: Answer): void {
    const { channel, tenant } = message.topic;
    const done = this.#parts.handler
      .then((handle) => handle(message))
      .then(
        () => answer(),
        (error: unknown) => {
          const code = error instanceof ProtocolError ? error.code : "unexpected";
          this.#parts.log.warn("broker.not_taken", { channel, tenant, code });
          // The car keeps what no mark of ours covers, and sends it again in its own time.
          if (channel === "up") answer();
          else this.#hold(message, messageId, answer);
        },
      )
      .finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  #hold(message: SourceMessage, messageId: number | undefined, answer: Answer): void {
    const isOurs = messageId === undefined || this.#unanswered.size >= UNANSWERED_MAX;
    const kept: Unanswered = { payload: message.payload, isTaken: false };
    if (!isOurs) this.#unanswered.set(messageId, kept);
    this.#parts.untaken.hold(message, () => {
      kept.isTaken = true;
      if (!isOurs) this.#renew();
    });
    answer(isOurs ? undefined : NOT_YET);
  }

  /** Nothing can be answered late on a connection; so it is ended, once nothing of it waits. */
  #renew(): void {
    const all = [...this.#unanswered.values()];
    if (all.some(({ isTaken }) => !isTaken)) return;
    this.#parts.clock.after(RENEW_MS, () => {
      if (this.#client.connected && this.#unanswered.size > 0) this.#client.stream.destroy();
    });
  }
}

function topicIn(text: string): Topic | undefined {
  try {
    return parseTopic(text);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
