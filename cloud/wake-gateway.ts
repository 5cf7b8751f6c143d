/**
 * Rings a sleeping car's wake line through whoever sends messages to its SIM. The gateway is told the car's pseudonym
 * and nothing else: it alone knows the number. A message only wakes; it carries no command, and none is kept for it.
 */
import { readFileSync, statSync } from "node:fs";
import { request as requestHttps } from "node:https";
import { type Address, type Clock, clientIdOf, type Log, ProtocolError } from "@kerbside/protocol";

/** Messages cost money, and wakes a car's battery: beyond this a car is not rung until the hour is over. */
export const RINGS_AN_HOUR_MAX = 12;
const HOUR_MS = 3_600_000;
/** Cars whose rings are remembered at a time; beyond it the one that was rung longest ago is forgotten. */
const CARS_MAX = 10_000;
const ANSWER_MS_MAX = 5000;
const OTHERS_MAY = 0o077;

type Gateway = { readonly url: URL; readonly token: string; readonly ca?: string };
export type WakeGatewayOptions = {
  /** JSON with `url` (HTTPS), `token` and, where the system does not trust it, `ca` (PEM). Read for each ring. */
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Resolves when the gateway has taken the message over, which says nothing of the car. Rejects with ProtocolError
 * `unavailable` or `limit_reached`.
 */
export function wakeGateway({
  file,
  clock,
  log,
}: WakeGatewayOptions): (address: Address) => Promise<void> {
  const rings = new Map<string, readonly number[]>();
  return async (address) => {
    const car = clientIdOf(address);
    const nowMs = clock.bootMs();
    const recent = (rings.get(car) ?? []).filter((atMs) => nowMs - atMs < HOUR_MS);
    if (recent.length >= RINGS_AN_HOUR_MAX) {
      throw new ProtocolError("limit_reached", "vehicle: was woken too often within the hour");
    }
    rings.delete(car);
    const [oldest] = rings.keys();
    if (rings.size >= CARS_MAX && oldest !== undefined) rings.delete(oldest);
    rings.set(car, [...recent, nowMs]);
    try {
      await ring(readGateway(file), address);
    } catch (error) {
      log.warn("wake.not_sent", { what: error instanceof Error ? error.message : "bug" });
      throw new ProtocolError("unavailable", "vehicle: its wake line could not be rung");
    }
  };
}

function readGateway(file: string): Gateway {
  if ((statSync(file).mode & OTHERS_MAY) !== 0)
    throw new Error(`${file}: expected a file that only its owner can read`);
  const content: unknown = JSON.parse(readFileSync(file, "utf8"));
  const { url, token, ca } =
    typeof content === "object" && content !== null
      ? (content as Readonly<Record<string, unknown>>)
      : {};
  const target = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  const isSane =
    target?.protocol === "https:" &&
    typeof token === "string" &&
    /^[\x21-\x7e]{16,512}$/.test(token);
  if (!isSane || !(ca === undefined || typeof ca === "string"))
    throw new Error(`${file}: expected url (https), token and perhaps ca (PEM)`);
  return { url: target, token, ...(ca === undefined ? {} : { ca }) };
}

function ring({ url, token, ca }: Gateway, { tenant, vehicle }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = requestHttps(
      url,
      {
        method: "POST",
        minVersion: "TLSv1.3",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        agent: false,
        timeout: ANSWER_MS_MAX,
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve();
        else reject(new Error(`the gateway answered ${status}`));
      },
    );
    request.on("timeout", () => request.destroy(new Error("the gateway did not answer in time")));
    request.on("error", reject);
    request.end(JSON.stringify({ tenant, vehicle }));
  });
}
