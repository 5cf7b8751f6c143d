/** How records are shown: the schemas of the answers, and what makes them of records. Times are ISO 8601 in UTC. */
import {
  type BookingRecord,
  type CommandRecord,
  type DeclaredGap,
  ERRORS,
  type FeedEntry,
  type SessionRecord,
  type StoredEvent,
  toHex,
  type VehicleRecord,
} from "@kerbside/protocol";
import { isFinal } from "../life-cycle.ts";
import type { BookingRental } from "../rentals.ts";
import { isErrorCode } from "../signer/wire.ts";

/** The largest time a Date can hold (ECMA-262 § 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;

/** A car's clock may be wrong by any amount; what no calendar holds is shown as the nearest that it does. */
export function iso(ms: number): string {
  const bounded = Number.isFinite(ms) ? Math.min(TIME_MS_MAX, Math.max(-TIME_MS_MAX, ms)) : 0;
  return new Date(bounded).toISOString();
}

/** Bytes as hexadecimal, anywhere in a value that came out of the store. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

export type VehicleView = {
  readonly vehicle: string;
  readonly profile: string;
  readonly online: boolean;
  readonly enrolledAt: string;
  readonly revokedAt?: string;
  readonly session?: {
    readonly announcedAt: string;
    readonly agentVersion: string;
    readonly profile: string;
  };
};

export function vehicleView(
  record: VehicleRecord,
  session: SessionRecord | undefined,
  connected: boolean | undefined,
): VehicleView {
  return {
    vehicle: record.vehicle,
    profile: record.profile,
    online: session !== undefined && (connected ?? session.online),
    enrolledAt: iso(record.enrolledAtMs),
    ...(record.revokedAtMs === undefined ? {} : { revokedAt: iso(record.revokedAtMs) }),
    ...(session === undefined
      ? {}
      : {
          session: {
            announcedAt: iso(session.receivedAtMs),
            agentVersion: session.session.agentVersion,
            profile: session.session.profile,
          },
        }),
  };
}

export type BookingView = {
  readonly booking: string;
  readonly vehicle: string;
  /** Left out for people's accounts: who it is is asked for, with a reason. */
  readonly holder?: string;
  readonly from: string;
  readonly to: string;
  readonly state: BookingRecord["state"];
  readonly version: number;
  readonly rental?: { readonly state: string; readonly by?: string; readonly since: string };
};

export function bookingView(record: BookingRecord, rental?: BookingRental): BookingView {
  const { booking, vehicle, holder, fromMs, toMs, state, version } = record;
  const view = { booking, vehicle, holder, from: iso(fromMs), to: iso(toMs), state, version };
  if (rental === undefined) return view;
  const { sinceMs, ...what } = rental;
  return { ...view, rental: { ...what, since: iso(sinceMs) } };
}

export type CommandView = {
  readonly id: string;
  readonly vehicle: string;
  readonly action: string;
  readonly booking?: string;
  readonly state: CommandRecord["state"];
  readonly final: boolean;
  readonly steps: readonly { readonly state: string; readonly at: string }[];
  readonly deadline: string;
  readonly result?: unknown;
  readonly error?: ErrorView;
};
type ErrorView = {
  readonly code: string;
  readonly words: string;
  readonly mayHaveSucceeded: boolean;
  readonly temporary: boolean;
};

export function commandView(record: CommandRecord): CommandView {
  const { id, vehicle, action, booking, state, steps, deadlineMs, result } = record;
  const error = state === "executed" ? undefined : errorView(record);
  return {
    id,
    vehicle,
    action,
    ...(booking === undefined ? {} : { booking }),
    state,
    final: isFinal(state),
    steps: steps.map((step) => ({ state: step.state, at: iso(step.atMs) })),
    deadline: iso(deadlineMs),
    ...(result === undefined ? {} : { result: resultView(result) }),
    ...(error === undefined ? {} : { error }),
  };
}

function resultView(result: NonNullable<CommandRecord["result"]>): unknown {
  const { status, replayed, unmet, sensed, durable, reason, mayHaveSucceeded } = result;
  return {
    status,
    replayed,
    unmet: unmet.map(({ condition, words }) => ({ condition, words })),
    ...(sensed === undefined ? {} : { sensed }),
    durable,
    ...(reason === undefined ? {} : { reason }),
    mayHaveSucceeded,
  };
}

/** What the car itself says of `mayHaveSucceeded` counts more than the table. */
function errorView({ error, result }: CommandRecord): ErrorView | undefined {
  if (error === undefined) return undefined;
  const code = isErrorCode(error) ? error : "unavailable";
  const { words, mayHaveSucceeded, temporary } = ERRORS[code];
  return {
    code,
    words,
    mayHaveSucceeded: mayHaveSucceeded || (result?.mayHaveSucceeded ?? false),
    temporary,
  };
}

type EventPlace = Pick<StoredEvent, "vehicle" | "log" | "lane">;
export type EventView =
  | (EventPlace & Pick<StoredEvent, "seq" | "kind" | "data"> & { readonly at: string })
  | (EventPlace & Pick<DeclaredGap, "gap">);
export function eventView(item: StoredEvent | DeclaredGap): EventView {
  const { vehicle, log, lane } = item;
  if ("gap" in item) return { vehicle, log, lane, gap: item.gap };
  const { seq, atMs, kind, data } = item;
  return { vehicle, log, lane, seq, at: iso(atMs), kind, data: plain(data) };
}

export type FeedView = Omit<FeedEntry, "atMs"> & { readonly at: string };
export function feedView({ cursor, atMs, topic, id }: FeedEntry): FeedView {
  return { cursor, at: iso(atMs), topic, id };
}
