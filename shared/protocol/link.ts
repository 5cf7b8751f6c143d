/**
 * The two ends of the wire between car and cloud, whatever carries it. The car has a `Transport`; the cloud has a
 * `Source` of what cars send and a `Downlink` to them.
 */
import type { Address, Channel, Topic } from "./topics.ts";

/** What a transport tells the uplink. `closed` comes once, after which the connection is used no more. */
export type TransportEvents = {
  readonly message: (channel: Channel, payload: Uint8Array) => void;
  readonly closed: (reason: string) => void;
};

/** One connection of a car. A new one is opened after each loss; nothing is ever queued inside it. */
export type TransportConnection = {
  /**
   * Resolves when the other side has taken the message over (MQTT: PUBACK), which proves nothing about the store.
   * Rejects with ProtocolError `unavailable` if the connection ends first; the message may have arrived.
   */
  readonly publish: (topic: string, payload: Uint8Array) => Promise<void>;
  /** Ends it in order: `farewell` is published first where there is one. Never rejects. */
  readonly close: (farewell?: {
    readonly topic: string;
    readonly payload: Uint8Array;
  }) => Promise<void>;
};

export type Transport = {
  /** Resolves when a connection may be tried at all; missing: always. Rejects where `signal` aborts first. */
  readonly ready?: (signal: AbortSignal) => Promise<void>;
  /** Connects, subscribes to all channels to this car, and leaves `will` to be published if it breaks. */
  readonly connect: (
    events: TransportEvents,
    will: { readonly topic: string; readonly payload: Uint8Array },
    signal: AbortSignal,
  ) => Promise<TransportConnection>;
};

/** A message from a car. `certificate` is the identity that TLS proved, where the source can see it. */
export type SourceMessage = {
  readonly topic: Topic;
  readonly payload: Uint8Array;
  readonly certificate?: Address & { readonly serial: string };
};

/**
 * Takes a message over for good. The source acknowledges to the car's side when it resolves; a rejection does not, but for
 * `limit_reached` on `up`: that is above a quota, the car keeps it, and nobody's connection is ended for it.
 */
export type SourceHandler = (message: SourceMessage) => Promise<void>;

/** Hands over what cars send, at least once, in no promised order, with back-pressure while handlers are pending. */
export type Source = {
  readonly start: (handler: SourceHandler) => Promise<void>;
  /** Stops handing over, waits for handlers under way. */
  readonly stop: () => Promise<void>;
};

export type Downlink = {
  /**
   * Sends once, now or never (QoS 0, not retained, never queued). Rejects with ProtocolError `vehicle_offline` where
   * it is known that nobody listens.
   */
  readonly send: (to: Address, channel: Channel, payload: Uint8Array) => Promise<void>;
};
