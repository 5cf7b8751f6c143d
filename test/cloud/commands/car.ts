/** A car for these tests that speaks the real protocol, whose answers each test chooses. */
import {
  type Channel,
  type Command,
  type CommandResult,
  equalBytes,
  openCommand,
  randomBytes,
  requestHashOf,
  type SessionAnnouncement,
  type SourceHandler,
  signingKey,
  signResult,
  signSession,
  tenantId,
  type VehicleId,
  verifyKey,
} from "@kerbside/protocol";

export const DEMO = tenantId("demo");
/** The cloud as the car meets it. */
type Cloud = { readonly fromCar: SourceHandler; readonly commandKey: Uint8Array };

/** What a car does with a command: statuses it answers, in turn. */
export type Conduct = readonly CommandResult["status"][];

/** A car that speaks the protocol with the keys it was enrolled with. */
export class Car {
  readonly vehicle: VehicleId;
  readonly seed: Uint8Array = randomBytes(32);
  readonly key = signingKey(this.seed);
  readonly received: Command[] = [];
  readonly envelopes: Uint8Array[] = [];
  readonly sent: { readonly channel: Channel; readonly payload: Uint8Array }[] = [];
  conduct: Conduct = ["received", "executed"];
  unmet: CommandResult["unmet"] = [];
  connected = false;
  epoch: Uint8Array = randomBytes(16);
  sessionMs = 5000;
  #announcement = 0;
  #cloud: Cloud | undefined;

  constructor(vehicle: VehicleId) {
    this.vehicle = vehicle;
  }

  joins(cloud: Cloud): void {
    this.#cloud = cloud;
  }

  get commandKey(): Uint8Array {
    if (this.#cloud === undefined) throw new Error("the car has joined no cloud");
    return this.#cloud.commandKey;
  }

  /** As at the start of the agent, or after a suspend. */
  beginEpoch(): void {
    this.epoch = randomBytes(16);
    this.#announcement = 0;
  }

  session(more: Partial<SessionAnnouncement> = {}): SessionAnnouncement {
    this.#announcement += 1;
    return {
      tenant: DEMO,
      vehicle: this.vehicle,
      epoch: this.epoch,
      sessionMs: this.sessionMs,
      reason: "start",
      announcement: this.#announcement,
      timeNonce: randomBytes(16),
      agentVersion: "0.1.0",
      profile: "kerbside-sim/1",
      ...more,
    };
  }

  async announce(more: Partial<SessionAnnouncement> = {}): Promise<void> {
    this.connected = true;
    await this.says("session", signSession(this.key, this.session(more)));
  }

  async says(channel: Channel, payload: Uint8Array): Promise<void> {
    this.sent.push({ channel, payload });
    await this.#cloud?.fromCar({
      topic: { tenant: DEMO, vehicle: this.vehicle, channel },
      payload,
    });
  }

  result(envelope: Uint8Array, more: Partial<CommandResult> = {}): CommandResult {
    const command = openCommand(verifyKey(this.commandKey), envelope);
    return {
      tenant: DEMO,
      vehicle: this.vehicle,
      id: command.id,
      requestHash: requestHashOf(envelope),
      status: "executed",
      replayed: false,
      unmet: [],
      sensed: { locked: "yes", immobilised: "no", doorsClosed: "yes" },
      durable: true,
      mayHaveSucceeded: false,
      sessionMs: this.sessionMs,
      ...more,
    };
  }

  /** What the downlink delivers. Answers after the sending has returned, as a network would. */
  hears(envelope: Uint8Array): void {
    this.envelopes.push(envelope);
    this.received.push(openCommand(verifyKey(this.commandKey), envelope));
    setImmediate(() => {
      this.answer(envelope).catch((error: unknown) => {
        process.stderr.write(`car: ${String(error)}\n`);
      });
    });
  }

  /** What came on channels other than `command`. */
  readonly taken: { readonly channel: Channel; readonly payload: Uint8Array }[] = [];
  /** Called at each of them; tests replace it. */
  onTaken: (channel: Channel, payload: Uint8Array) => void = () => undefined;
  takes(channel: Channel, payload: Uint8Array): void {
    this.taken.push({ channel, payload });
    this.onTaken(channel, payload);
  }

  /** What its wake line does; tests replace it. */
  wake: () => Promise<void> = async () => undefined;

  /** What it does with a command; tests replace it. */
  answer: (envelope: Uint8Array) => Promise<void> = (envelope) => this.usual(envelope);

  async usual(envelope: Uint8Array): Promise<void> {
    const stale = !equalBytes(openCommand(verifyKey(this.commandKey), envelope).epoch, this.epoch);
    if (stale) {
      const result = this.result(envelope, { status: "stale_session" });
      return this.says("result", signResult(this.key, result));
    }
    for (const status of this.conduct) {
      const unmet = status === "refused" ? this.unmet : [];
      const result = this.result(envelope, { status, unmet });
      await this.says("result", signResult(this.key, result));
    }
  }
}
