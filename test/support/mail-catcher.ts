/** A mail server that keeps what it is given: TLS from the first byte, as the cloud asks for. */
import { SMTPServer } from "smtp-server";

export type MailCatcher = AsyncDisposable & {
  readonly port: number;
  /** As they came, with quoted-printable undone. */
  readonly mails: readonly string[];
};

export async function catchMail(tls: {
  readonly key: string;
  readonly cert: string;
}): Promise<MailCatcher> {
  const mails: string[] = [];
  const server = new SMTPServer({
    ...tls,
    secure: true,
    authOptional: true,
    onData: async (stream, _session, done) => {
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(Buffer.from(part));
      // Quoted-printable: soft line ends and signs as numbers.
      const text = Buffer.concat(parts).toString("utf8").replaceAll("=\r\n", "");
      mails.push(text.replaceAll("=3D", "="));
      done();
    },
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  return {
    port: address.port,
    mails,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
