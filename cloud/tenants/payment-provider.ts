/**
 * A payment provider over HTTPS (P-23): where it is, and what opens it, is in the tenant's vault. Four questions in JSON,
 * each a POST under its URL, with tokens in the body, so that no log of addresses holds one.
 */
import { request } from "node:https";
import {
  type PaymentProvider,
  ProtocolError,
  paymentTokenOf,
  refuseCardNumbers,
} from "@kerbside/protocol";

/** Under which name a tenant's vault has it: JSON with `url`, `token` and perhaps `ca`. */
export const PAYMENTS_SECRET = "payments";
const ANSWER_MS_MAX = 10_000;
const ANSWER_BYTES_MAX = 16 * 1024;
const REFERENCE = /^[A-Za-z0-9_-]{1,128}$/;

type Settings = { readonly url: string; readonly token: string; readonly ca?: string };
type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

export function paymentProvider(secret: Uint8Array): PaymentProvider {
  // As it was checked when it was put there.
  const settings = JSON.parse(new TextDecoder().decode(secret)) as Settings;
  return {
    begin: async () => {
      const { body } = await asked(settings, "tokens", {});
      const page = body["page"];
      if (typeof page !== "string" || !page.startsWith("https://") || !URL.canParse(page))
        throw unagreed();
      return { token: agreed(() => paymentTokenOf(body["token"])), page };
    },
    verify: async (token) => {
      const { status, body } = await asked(settings, "tokens/verify", { token }, [200, 404]);
      return status === 200 && body["live"] === true;
    },
    charge: async (token, charge) => {
      try {
        const { body } = await asked(settings, "charges", { token, ...charge });
        const { charge: reference, state } = body;
        if (typeof reference !== "string" || !REFERENCE.test(reference)) throw unagreed();
        if (state !== "charged" && state !== "declined") throw unagreed();
        return { charge: reference, state };
      } catch (cause) {
        const words = "payment: nobody knows yet whether it was made; ask by the same reference";
        throw new ProtocolError("unknown_outcome", words, { cause });
      }
    },
    revoke: async (token) => {
      await asked(settings, "tokens/revoke", { token }, [200, 204, 404]);
    },
  };
}

function unagreed(cause?: unknown): ProtocolError {
  return new ProtocolError("unavailable", "payments: the provider did not answer as agreed", {
    cause,
  });
}

function agreed<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw unagreed(cause);
  }
}

async function asked(
  settings: Settings,
  what: string,
  question: object,
  taken: readonly number[] = [200, 201],
): Promise<Answer> {
  const answer = await post(settings, what, JSON.stringify(question));
  if (!taken.includes(answer.status)) throw unagreed();
  return answer;
}

function post({ url, token, ca }: Settings, what: string, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url.replace(/\/$/, "")}/${what}`,
      {
        method: "POST",
        minVersion: "TLSv1.3",
        agent: false,
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
        ...(ca === undefined ? {} : { ca }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        incoming.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > ANSWER_BYTES_MAX) incoming.destroy(unagreed());
          else chunks.push(chunk);
        });
        incoming.on("error", (error) => reject(unagreed(error)));
        incoming.on("end", () => {
          try {
            const text = Buffer.concat(chunks).toString();
            resolve({ status: incoming.statusCode ?? 0, body: read(text) });
          } catch (error) {
            reject(unagreed(error));
          }
        });
      },
    );
    outgoing.on("error", (error) => reject(unagreed(error)));
    outgoing.end(body);
  });
}

/** A card's number is not taken from the provider either. */
function read(text: string): Answer["body"] {
  const body: unknown = text === "" ? {} : JSON.parse(text);
  refuseCardNumbers("answer", body);
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw unagreed();
  return body as Answer["body"];
}
