/**
 * The state of each part (P-91): looked at every half minute by asking it, kept day by day, and shown to anybody at
 * `/status` (a page), `/status.json`, and `/status.atom`, which is how people subscribe. Incidents are shown with their
 * updates; breaches are told to whom they concern, and not here.
 */
import { connect } from "node:net";
import type { Clock, Log, Timer } from "@kerbside/protocol";
import type { Incident, Registry } from "@kerbside/tenants";
import type { FastifyInstance, FastifySchema } from "fastify";
import { atomOf, pageOf, type StatusView } from "./status-page.ts";

const LOOK_MS = 30_000;
/** A look that is older than this says nothing of the time since. */
const FRESH_MS = 90_000;
const ANSWER_MS_MAX = 3000;
/** Anybody may ask, as often as they like: the store is read once for all of them within this. */
const SHOWN_MS = 5000;
export const HISTORY_DAYS = 90;
const CHANGES_SHOWN = 100;
const INCIDENTS_SHOWN = 50;
const HIDDEN: FastifySchema & { readonly hide: boolean } = { hide: true };

/** Whether it answers now. May reject, which means that it does not. */
export type Probe = () => Promise<boolean>;
export type StatusParts = {
  readonly platform: Pick<Registry["platform"], "availability" | "incidents">;
  readonly probes: Readonly<Record<string, Probe>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly lookMs?: number;
};
export type Status = {
  readonly look: () => Promise<void>;
  readonly view: () => StatusView;
  readonly close: () => Promise<void>;
};

/** Whether something takes connections there: at a port, or at a Unix socket of this machine. */
export function listens(
  at: { readonly path: string } | { readonly host: string; readonly port: number },
): Probe {
  return () =>
    new Promise((resolve) => {
      const socket = connect(at);
      const end = (up: boolean): void => {
        socket.destroy();
        resolve(up);
      };
      socket.setTimeout(ANSWER_MS_MAX, () => end(false));
      socket.once("connect", () => end(true));
      socket.once("error", () => end(false));
    });
}

/** Looks once, and then again and again. */
export async function watchStatus(parts: StatusParts): Promise<Status> {
  const { platform, probes, clock, log, lookMs = LOOK_MS } = parts;
  let now: ReadonlyMap<string, boolean> = new Map();
  let shown: { readonly view: StatusView; readonly atMs: number } | undefined;
  let timer: Timer | undefined;
  let turn: Promise<void> = Promise.resolve();
  let closed = false;
  const look = async (): Promise<void> => {
    const asked = Object.entries(probes).map(async ([part, probe]): Promise<[string, boolean]> => {
      const [answer] = await Promise.allSettled([probe()]);
      return [part, answer.status === "fulfilled" && answer.value];
    });
    const seen = new Map(await Promise.all(asked));
    for (const [part, up] of seen)
      if ((now.get(part) ?? true) !== up)
        log.warn("status.changed", { name: part, state: up ? "up" : "down" });
    now = seen;
    shown = undefined;
    try {
      platform.availability.saw(seen, Math.max(FRESH_MS, 3 * lookMs));
    } catch {
      // The store itself is what fails, which the probe of it shows.
      log.warn("status.not_kept");
    }
  };
  const inTurn = (): Promise<void> => {
    turn = turn.then(look);
    return turn;
  };
  const again = (): void => {
    timer = clock.after(lookMs, () => {
      inTurn()
        .then(() => (closed ? undefined : again()))
        .catch(() => undefined);
    });
  };
  await inTurn();
  again();
  return {
    look: inTurn,
    view: () => {
      const nowMs = clock.bootMs();
      if (shown === undefined || nowMs - shown.atMs >= SHOWN_MS)
        shown = { view: viewOf(platform, now), atMs: nowMs };
      return shown.view;
    },
    close: async () => {
      closed = true;
      timer?.cancel();
      await turn;
    },
  };
}

function viewOf(
  { availability, incidents }: StatusParts["platform"],
  now: ReadonlyMap<string, boolean>,
): StatusView {
  const parts = [...now].map(([part, up]) => {
    const days = availability.days(part, HISTORY_DAYS);
    const [upMs, downMs] = [sum(days.map((d) => d.upMs)), sum(days.map((d) => d.downMs))];
    const known = upMs + downMs;
    return { part, up, days, ...(known === 0 ? {} : { share: upMs / known }) };
  });
  return {
    parts,
    changes: availability.changes(CHANGES_SHOWN),
    incidents: incidents.list().filter(isPublic).slice(0, INCIDENTS_SHOWN),
  };
}

const isPublic = ({ kind }: Incident): boolean => kind === "incident";
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** For anybody, without a token. */
export function registerStatus(app: FastifyInstance, { view }: Pick<Status, "view">): void {
  app.get("/status", { schema: HIDDEN }, (_request, reply) =>
    reply
      .header(
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
      )
      .header("cache-control", "max-age=10")
      .type("text/html; charset=utf-8")
      .send(pageOf(view())),
  );
  app.get("/status.json", { schema: HIDDEN }, (_request, reply) =>
    reply.header("cache-control", "max-age=10").send(view()),
  );
  app.get("/status.atom", { schema: HIDDEN }, (request, reply) =>
    reply
      .header("cache-control", "max-age=60")
      .type("application/atom+xml; charset=utf-8")
      .send(atomOf(view(), `https://${request.host}`)),
  );
}
