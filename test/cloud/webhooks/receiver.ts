/** A receiver of webhooks as an operator would run one: HTTPS, and the reference library to verify what comes. */
import { createServer } from "node:https";
import { Webhook } from "standardwebhooks";
import { makeCertificate } from "../../sim/rig.ts";

export type Heard = {
  readonly id: string;
  readonly signatures: number;
  readonly verified: boolean;
  readonly ids: readonly string[];
  readonly next: string;
  readonly body: string;
};

export type Receiver = {
  readonly url: string;
  readonly ca: string;
  readonly heard: Heard[];
  /** What it answers from now on; "never" leaves the caller waiting. */
  answer: number | "never";
  headers: Readonly<Record<string, string>>;
  /** In the words of `whsec_…`. */
  secret: string;
  readonly close: () => Promise<void>;
};

export async function openReceiver(): Promise<Receiver> {
  const { certificate, key } = await makeCertificate();
  const server = createServer({ key, cert: certificate }, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      receiver.heard.push(heardOf(request.headers, body, receiver.secret));
      if (receiver.answer !== "never") response.writeHead(receiver.answer, receiver.headers).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const receiver: Receiver = {
    url: `https://localhost:${port}/hook`,
    ca: certificate,
    heard: [],
    answer: 204,
    headers: {},
    secret: "",
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return receiver;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

function heardOf(headers: Headers, body: string, secret: string): Heard {
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const;
  const given = Object.fromEntries(names.map((name) => [name, String(headers[name])]));
  const { data } = JSON.parse(body);
  return {
    body,
    id: given["webhook-id"] ?? "",
    signatures: (given["webhook-signature"] ?? "").split(" ").length,
    verified: verifies(secret, body, given),
    ids: data.items.map((item: { id: string }) => item.id),
    next: data.next,
  };
}

export function verifies(secret: string, body: string, headers: Record<string, string>): boolean {
  if (secret === "") return false;
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}
