/**
 * A lock controller at the far end of a real Unix socket, with faults that a bench has: it does what the lock link
 * says a controller does, and counts the pulses, which is what the tests are about.
 */
import { createServer, type Server, type Socket } from "node:net";
import {
  beginActuation,
  finishActuation,
  LOCK_ACTUATIONS_NONE,
  type LockAction,
  type LockActuationMemory,
  LockLinkSession,
  type LockLinkStep,
  type LockMessage,
  type LockOutcome,
  type LockSensed,
  randomBytes,
} from "@kerbside/protocol";

export type ControllerFault = "none" | "jam" | "silent" | "cut_after_pulse";

const CLOSED: LockSensed = {
  boltDriver: "locked",
  boltPassengers: "locked",
  boltTrunk: "locked",
  doorFrontLeft: "closed",
  doorFrontRight: "closed",
  doorRearLeft: "closed",
  doorRearRight: "closed",
  trunk: "closed",
  immobiliser: "free",
  supplyMv: 12_600,
  tamper: "intact",
};

export class TestController {
  fault: ControllerFault = "none";
  readonly pulses: LockAction[] = [];
  sensed: LockSensed = CLOSED;
  readonly #server: Server;
  readonly #session: LockLinkSession;
  #memory: LockActuationMemory = LOCK_ACTUATIONS_NONE;
  #lastOutcome: LockOutcome = "none";
  #socket: Socket | undefined;

  private constructor(server: Server, pairingKey: Uint8Array) {
    this.#server = server;
    this.#session = new LockLinkSession({
      role: "controller",
      pairingKey,
      id: new Uint8Array(8).fill(2),
      firmware: { major: 1, minor: 0, patch: 0 },
      random: { bytes: randomBytes },
    });
  }

  static async listen(path: string, pairingKey: Uint8Array): Promise<TestController> {
    const server = createServer();
    const controller = new TestController(server, pairingKey);
    server.on("connection", (socket) => {
      controller.#socket = socket;
      socket.on("data", (bytes) => controller.#step(controller.#session.receive(bytes, now())));
      socket.on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return controller;
  }

  /** Breaks the line as a pulled plug does. */
  cut(): void {
    this.#socket?.destroy();
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #step({ messages, bytesOut }: LockLinkStep): void {
    this.#write(bytesOut);
    this.#write(this.#session.tick(now()).bytesOut);
    for (const message of messages) this.#take(message);
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length > 0 && this.#socket?.destroyed === false) this.#socket.write(bytes);
  }

  #send(message: Parameters<LockLinkSession["send"]>[0]): void {
    const sent = this.#session.send(message, now());
    if (sent.sent) this.#write(sent.bytesOut);
  }

  #take(message: LockMessage): void {
    if (message.type === "statusRequest") {
      this.#send({
        type: "statusReport",
        ...this.sensed,
        selfTest: "not_run",
        lastActuationId: this.#memory.lastId,
        lastOutcome: this.#lastOutcome,
        resetCount: 0,
        midPulse: false,
      });
    }
    if (message.type === "actuate") this.#actuate(message.actuationId, message.action);
  }

  #actuate(actuationId: number, action: LockAction): void {
    const plan = beginActuation(this.#memory, { actuationId, action }, this.sensed);
    if (plan.value === "wait") return;
    if (plan.value !== "pulse") {
      const sensed = plan.value === "answer" ? plan.sensed : this.sensed;
      this.#send({ type: "actuationResult", actuationId, outcome: plan.outcome, ...sensed });
      return;
    }
    this.pulses.push(action);
    this.#lastOutcome = this.fault === "jam" ? "jam" : "done";
    if (this.fault !== "jam") this.#move(action);
    this.#memory = finishActuation(plan.memory, actuationId, this.#lastOutcome, this.sensed);
    if (this.fault === "cut_after_pulse") this.cut();
    else if (this.fault !== "silent") {
      const outcome = this.#lastOutcome;
      this.#send({ type: "actuationResult", actuationId, outcome, ...this.sensed });
    }
  }

  #move(action: LockAction): void {
    if (action === "lock") {
      this.sensed = { ...CLOSED, immobiliser: this.sensed.immobiliser };
    } else if (action === "unlock") {
      this.sensed = { ...this.sensed, boltDriver: "unlocked", boltPassengers: "unlocked" };
    } else if (action === "inhibit_start") {
      this.sensed = { ...this.sensed, immobiliser: "inhibited" };
    } else if (action === "allow_start") {
      this.sensed = { ...this.sensed, immobiliser: "free" };
    }
  }
}

function now(): number {
  return Math.round(performance.now());
}
