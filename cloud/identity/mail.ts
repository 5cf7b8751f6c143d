/**
 * E-mail by SMTP, over TLS from the first byte or not at all (P-01). What is sent holds a link and the address it goes
 * to, nothing else of the person.
 */
import { ProtocolError } from "@kerbside/protocol";
import { createTransport } from "nodemailer";

export type Mail = { readonly to: string; readonly subject: string; readonly text: string };
export type SendMail = (mail: Mail) => Promise<void>;

export type SmtpOptions = {
  readonly host: string;
  readonly port: number;
  readonly from: string;
  readonly login?: { readonly user: string; readonly pass: string };
  /** PEM; the system's trust where there is none. */
  readonly ca?: string;
};

const CONNECTION_MS_MAX = 10_000;

/** Rejects with ProtocolError `unavailable`, without what the server said: it may name the address. */
export function smtpMail({ host, port, from, login, ca }: SmtpOptions): SendMail {
  const transport = createTransport({
    host,
    port,
    secure: true,
    tls: { minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) },
    ...(login === undefined ? {} : { auth: login }),
    connectionTimeout: CONNECTION_MS_MAX,
    greetingTimeout: CONNECTION_MS_MAX,
    socketTimeout: CONNECTION_MS_MAX,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return async ({ to, subject, text }) => {
    try {
      await transport.sendMail({ from, to: { name: "", address: to }, subject, text });
    } catch (cause) {
      throw new ProtocolError("unavailable", "mail: the server did not take it", { cause });
    }
  };
}
