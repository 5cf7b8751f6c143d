/** A simulated car with all its sockets and its cockpit, and what talks to them: for tests over real sockets. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Clock,
  fromHex,
  type LockAction,
  type LockLinkSendable,
  LockLinkSession,
  type LockMessage,
  type Timer,
  utf8,
} from "@kerbside/protocol";
import { type Drive, startDrive, type Travel } from "@kerbside/sim";
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509";
import { realClock, realRandom } from "../support/runtime.ts";

export type Pem = { readonly certificate: string; readonly key: string };

/** Self-signed, for localhost, for an hour. */
export async function makeCertificate(): Promise<Pem> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=localhost",
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  const key = `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
  return { certificate: certificate.toString("pem"), key };
}

export function makeDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "kerbside-sim-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export type Rig = {
  readonly drive: Drive;
  readonly key: string;
  readonly call: (method: string, path: string, body?: unknown, key?: string) => Promise<Answered>;
  /** Watches as a page does. */
  readonly watch: () => Promise<Watching>;
};
export type Watching = { readonly status: number; readonly end: () => Promise<void> };
export type Answered = {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
};

export async function startRig(
  dataDir: string,
  pem: Pem,
  travel: Travel = { minMs: 20, maxMs: 40 },
  busAwakeMs?: number,
): Promise<Rig> {
  const cockpit = { port: 0, certificate: pem.certificate, key: pem.key };
  const drive = await startDrive({
    dataDir,
    seed: 9,
    travel,
    cockpit,
    ...(busAwakeMs !== undefined && { busAwakeMs }),
    clock: realClock,
    random: realRandom,
  });
  const key = readFileSync(drive.cockpitKeyFile, "utf8").trim();
  const port = drive.cockpitPort ?? 0;
  return {
    drive,
    key,
    call: (method, path, body, shown = key) => callOver(port, pem, shown, method, path, body),
    watch: () => watchOver(port, pem, key),
  };
}

function callOver(
  port: number,
  pem: Pem,
  key: string,
  method: string,
  path: string,
  body: unknown,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = key === "" ? {} : { authorization: `Bearer ${key}` };
    const asked = request(
      { host: "localhost", port, method, path, headers, ca: pem.certificate, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => {
          const isJson = /json/.test(response.headers["content-type"] ?? "");
          resolve({
            status: response.statusCode ?? 0,
            body: isJson ? JSON.parse(text) : { text },
            headers: response.headers,
          });
        });
      },
    );
    asked.on("error", reject);
    asked.end(
      body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    );
  });
}

function watchOver(port: number, pem: Pem, key: string): Promise<Watching> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    const asked = request(
      { host: "localhost", port, path: "/api/live", headers, ca: pem.certificate, agent: false },
      (response) => {
        const gone = new Promise<void>((over) => response.on("close", () => over()));
        response.on("error", () => undefined).resume();
        const end = (): Promise<void> => {
          asked.destroy();
          return gone;
        };
        resolve({ status: response.statusCode ?? 0, end });
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

const WAIT_MS_MAX = 30_000;

/** The module's end of the lock link. */
export class TestModule {
  readonly heard: LockMessage[] = [];
  readonly #socket: Socket;
  readonly #session: LockLinkSession;
  readonly #clock: Clock = realClock;
  #timer: Timer | undefined;
  #waiting: { readonly found: () => boolean; readonly done: () => void }[] = [];

  constructor(path: string, pairingKey: Uint8Array) {
    this.#session = new LockLinkSession({
      role: "module",
      pairingKey,
      id: utf8("TESTMOD1"),
      random: realRandom,
    });
    this.#socket = createConnection(path);
    this.#socket.on("error", () => undefined);
    this.#socket.on("connect", () => this.#socket.write(this.#session.open(this.#clock.bootMs())));
    this.#socket.on("data", (bytes) =>
      this.#take(this.#session.receive(bytes, this.#clock.bootMs())),
    );
    this.#socket.on("close", () => this.#settle());
    this.#tick();
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  get isReady(): boolean {
    return this.#session.state.value === "ready";
  }

  send(message: LockLinkSendable): void {
    const sent = this.#session.send(message, this.#clock.bootMs());
    if (!sent.sent) throw new Error("no session");
    this.#socket.write(sent.bytesOut);
  }

  /** Resolves once it holds; looked at after everything that comes. Rejects with what came, when that takes too long. */
  until(found: () => boolean, withinMs: number = WAIT_MS_MAX): Promise<void> {
    if (found()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        const heard = this.heard.slice(-20).map((message) => JSON.stringify(message));
        reject(new Error(`${withinMs} ms in vain; ready: ${this.isReady}; ${heard.join(" ")}`));
      }, withinMs);
      const done = (): void => {
        clearTimeout(limit);
        resolve();
      };
      this.#waiting.push({ found, done });
    });
  }

  /**
   * Has it done, or begun so far as `found` says, and resolves with the number under which it was. A line drops what a stalled machine holds back for
   * too long (`LOCK_LATE_MS_MAX`), and nothing repeats it: it is asked for anew, under the next number, up to 5 times.
   */
  async actuate(
    action: LockAction,
    firstId: number,
    found: (id: number) => boolean = (id) => this.outcomes(id).length > 0,
  ): Promise<number> {
    for (let id = firstId; id < firstId + 5; id += 1) {
      await this.until(() => this.isReady);
      this.send({ type: "actuate", actuationId: id, action });
      try {
        await this.until(() => found(id), 4000);
        return id;
      } catch {
        // Lost on the way: the next number.
      }
    }
    throw new Error(`${action}: the lock never told how it ended`);
  }

  outcomes(id: number): readonly string[] {
    return this.heard.flatMap((message) =>
      message.type === "actuationResult" && message.actuationId === id ? [message.outcome] : [],
    );
  }

  close(): void {
    this.#timer?.cancel();
    this.#socket.destroy();
  }

  #tick(): void {
    // What a failed test left open ends with the car's end of it, and keeps no process.
    if (this.isClosed) return;
    this.#take(this.#session.tick(this.#clock.bootMs()));
    this.#timer = this.#clock.after(50, () => this.#tick());
  }

  #take({
    messages,
    bytesOut,
  }: {
    readonly messages: readonly LockMessage[];
    readonly bytesOut: Uint8Array;
  }): void {
    if (bytesOut.length > 0 && !this.#socket.destroyed) this.#socket.write(bytesOut);
    this.heard.push(...messages);
    this.#settle();
  }

  #settle(): void {
    const ready = this.#waiting.filter(({ found }) => found());
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { done } of ready) done();
  }
}

/** A car in a directory of its own, closed and removed whatever the test does. */
export async function withRig(
  pem: Pem,
  body: (rig: Rig, dataDir: string) => Promise<void>,
  travelMs = 30,
): Promise<void> {
  const directory = makeDirectory();
  const rig = await startRig(directory.path, pem, { minMs: travelMs, maxMs: travelMs });
  try {
    await body(rig, directory.path);
  } finally {
    await rig.drive.close();
    directory.remove();
  }
}

export function moduleOf(dataDir: string): TestModule {
  const key = fromHex(readFileSync(join(dataDir, "pairing.key"), "utf8").trim());
  return new TestModule(join(dataDir, "lock.sock"), key);
}
