/** A kept HTTPS connection that asks the same thing again and again, with as little work of its own as there can be. */
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

const HEAD_END = Buffer.from("\r\n\r\n");

export class Connection {
  readonly #socket: TLSSocket;
  readonly #request: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #answerBytes = 0;
  #answered: { readonly done: () => void; readonly fail: (error: Error) => void } | undefined;

  private constructor(socket: TLSSocket, request: Buffer) {
    this.#socket = socket;
    this.#request = request;
    socket.on("data", (part: Buffer) => this.#hear(part));
    socket.on("close", () => this.#answered?.fail(new Error("the connection was closed")));
  }

  static async open(port: number, ca: string, path: string, token: string): Promise<Connection> {
    const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca });
    await once(socket, "secureConnect");
    socket.setNoDelay(true);
    const head = `GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n\r\n`;
    return new Connection(socket, Buffer.from(head));
  }

  /** Resolves with the whole answer taken in; rejects where it is not 200. */
  ask(): Promise<void> {
    return new Promise((done, fail) => {
      this.#answered = { done, fail };
      this.#socket.write(this.#request);
    });
  }

  /** Of the last answer, head and body. */
  answerBytes(): number {
    return this.#answerBytes;
  }

  close(): void {
    this.#answered = undefined;
    this.#socket.destroy();
  }

  #hear(part: Buffer): void {
    this.#held = this.#held.length === 0 ? part : Buffer.concat([this.#held, part]);
    const end = this.#held.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#held.toString("latin1", 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
    if (this.#held.length < end + HEAD_END.length + length) return;
    this.#answerBytes = this.#held.length;
    this.#held = Buffer.alloc(0);
    const answered = this.#answered;
    this.#answered = undefined;
    if (head.startsWith("HTTP/1.1 200 ")) answered?.done();
    else answered?.fail(new Error(head.split("\r\n", 1).join("")));
  }
}
