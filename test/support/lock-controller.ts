/**
 * A lock controller at the far end of a real Unix socket or tty, with faults that a bench has: it does what the lock
 * link says a controller does, and counts the pulses, which is what the tests are about.
 */
import { createServer, type Server, type Socket } from "node:net";
import { serialLink } from "@kerbside/immobiliser";
import {
  beginActuation,
  finishActuation,
  type Line,
  type LineConnection,
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

export type ControllerFault =
  | "none"
  | "jam"
  | "silent"
  | "cut_after_pulse"
  /** The firmware is reset in mid-pulse: the motor stops, and its own record says so afterwards. */
  | "reset_in_pulse";

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
  /** What the line does to bytes on their way: as they came, changed, or none. */
  spoil: (bytes: Uint8Array, towards: "controller" | "module") => Uint8Array = (bytes) => bytes;
  resets = 0;
  readonly #session: LockLinkSession;
  #memory: LockActuationMemory = LOCK_ACTUATIONS_NONE;
  #lastOutcome: LockOutcome = "none";
  #server: Server | undefined;
  #socket: Socket | undefined;
  #tty: LineConnection | undefined;

  private constructor(pairingKey: Uint8Array) {
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
    const controller = new TestController(pairingKey);
    controller.#server = server;
    server.on("connection", (socket) => {
      controller.#socket = socket;
      socket.on("data", (bytes) => controller.#receive(bytes));
      socket.on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return controller;
  }

  /** At the other end of a tty. After a cut it is opened anew by the test. */
  static async onTty(path: string, pairingKey: Uint8Array): Promise<TestController> {
    const controller = new TestController(pairingKey);
    await controller.openTty(path);
    return controller;
  }

  /** In the module's own process, over a line that takes no time: for what the software alone takes. */
  static inProcess(pairingKey: Uint8Array): { controller: TestController; line: Line } {
    const controller = new TestController(pairingKey);
    const line: Line = async ({ data, closed }) => {
      // After the call that wrote, as from any line.
      const later = (run: () => void): boolean => {
        queueMicrotask(run);
        return true;
      };
      const close = (): void => void later(() => closed("closed"));
      controller.#tty = { write: (bytes) => later(() => data(bytes)), close };
      return { write: (bytes) => later(() => controller.#receive(bytes)), close };
    };
    return { controller, line };
  }

  async openTty(path: string): Promise<void> {
    // A tty that was hung up may read as empty for ever, and is closed by nobody else.
    this.#tty?.close();
    this.#tty = await serialLink(
      path,
      115_200,
    )({
      data: (bytes) => this.#receive(bytes),
      closed: () => undefined,
    });
  }

  /** Breaks the line as a pulled plug does. */
  cut(): void {
    this.#socket?.destroy();
    this.#tty?.close();
  }

  async close(): Promise<void> {
    this.cut();
    const server = this.#server;
    if (server !== undefined) await new Promise<void>((done) => server.close(() => done()));
  }

  #receive(bytes: Uint8Array): void {
    this.#step(this.#session.receive(this.spoil(bytes, "controller"), now()));
  }

  #step({ messages, bytesOut }: LockLinkStep): void {
    this.#socket?.cork();
    this.#write(bytesOut);
    this.#write(this.#session.tick(now()).bytesOut);
    for (const message of messages) this.#take(message);
    // What belongs together goes out together, as from a controller's own buffer.
    this.#socket?.uncork();
  }

  #write(bytes: Uint8Array): void {
    const spoilt = this.spoil(bytes, "module");
    if (spoilt.length === 0) return;
    this.#tty?.write(spoilt);
    if (this.#socket?.destroyed === false) this.#socket.write(spoilt);
  }

  #send(message: Parameters<LockLinkSession["send"]>[0]): void {
    const sent = this.#session.send(message, now());
    if (sent.sent) this.#write(sent.bytesOut);
  }

  #take(message: LockMessage): void {
    if (message.type === "statusRequest") this.#report();
    if (message.type === "actuate") this.#actuate(message.actuationId, message.action);
  }

  #report(): void {
    this.#send({
      type: "statusReport",
      ...this.sensed,
      selfTest: "not_run",
      lastActuationId: this.#memory.lastId,
      lastOutcome: this.#lastOutcome,
      resetCount: this.resets,
      midPulse: false,
    });
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
    if (this.fault === "reset_in_pulse") {
      this.#lastOutcome = "interrupted";
      this.#memory = finishActuation(plan.memory, actuationId, "interrupted", this.sensed);
      this.resets += 1;
      this.fault = "none";
      this.#report();
      return;
    }
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
