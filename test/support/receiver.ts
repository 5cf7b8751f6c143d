/** Somebody's HTTPS service that takes whatever is posted to it, and keeps it. */
import { createServer } from "node:https";

export type Receiver = AsyncDisposable & {
  readonly port: number;
  readonly bodies: readonly string[];
};

export async function receive(
  tls: { readonly key: string; readonly cert: string },
  /** The status of an answer by how many came before. */
  status: (before: number) => number = () => 202,
): Promise<Receiver> {
  const bodies: string[] = [];
  const server = createServer(tls, async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    bodies.push(`${request.headers.authorization}\n${Buffer.concat(parts).toString()}`);
    response.writeHead(status(bodies.length - 1)).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  return {
    port: address.port,
    bodies,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
