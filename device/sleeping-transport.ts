/**
 * A transport that is closed while the module sleeps: no connection is tried, and the one that stands is ended with
 * the word that the car is asleep. It opens at once on a wake; keep-alive is that of the power state at the time of
 * connecting.
 */
import type { PowerRow } from "@kerbside/immobiliser";
import type { Transport, TransportConnection, TransportEvents } from "@kerbside/protocol";

type Farewell = { readonly topic: string; readonly payload: Uint8Array };
export type SleepingTransportOptions = {
  /** Of the power state that the module is in. */
  readonly row: PowerRow;
  readonly make: (keepAliveS: number) => Transport;
  /** What is said where the car goes to sleep. */
  readonly asleep: () => Farewell;
};

export class SleepingTransport implements Transport {
  readonly #options: SleepingTransportOptions;
  #row: PowerRow;
  #opened: PromiseWithResolvers<void> = Promise.withResolvers();
  #connection: TransportConnection | undefined;

  constructor(options: SleepingTransportOptions) {
    this.#options = options;
    this.#row = options.row;
    if (this.#row.modem === "connected") this.#opened.resolve();
  }

  /** Resolves when what the state asks for is done. Never rejects. */
  async enter(row: PowerRow): Promise<void> {
    const was = this.#row.modem;
    this.#row = row;
    if (row.modem === was) return;
    if (row.modem === "connected") {
      this.#opened.resolve();
      return;
    }
    this.#opened = Promise.withResolvers();
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close(this.#options.asleep());
  }

  async ready(signal: AbortSignal): Promise<void> {
    await untilOpen(this.#opened.promise, signal);
  }

  async connect(
    events: TransportEvents,
    will: Farewell,
    signal: AbortSignal,
  ): Promise<TransportConnection> {
    const connection = await this.#options.make(this.#row.keepAliveS).connect(events, will, signal);
    // It went to sleep while connecting.
    if (this.#row.modem !== "connected") {
      await connection.close(this.#options.asleep());
      return connection;
    }
    this.#connection = connection;
    return connection;
  }
}

/** Rejects with the signal's reason where that comes first. */
async function untilOpen(opened: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([opened, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
