/** One car of a fleet: it drives or stands, says so as an agent would, and sends it over the agent's own uplink. */
import {
  type CarEvent,
  type Clock,
  type Lane,
  type Log,
  laneOf,
  type NewEvent,
  ProtocolError,
  type Random,
  type Transport,
} from "@kerbside/protocol";
import {
  createSession,
  type Identity,
  mqttTransport,
  startUplink,
  type Uplink,
} from "@kerbside/uplink";
import { chance } from "../car/noise.ts";
import { placeOn, type Route, toWgs84 } from "../car/route.ts";
import { LightBuffer } from "./light-buffer.ts";

const AGENT_VERSION = "light";
const PURPOSE_START = 22;
const PURPOSE_PACE = 23;
/** As in the agent while somebody sends, but for `track`: a light car is not asked where it is at this moment. */
const CLOSE_MS: Readonly<Record<Lane, number>> = { critical: 0, state: 1000, track: 10_000 };

/** Who a light car is: the part of an enrolment that it needs. */
export type LightIdentity = Pick<
  Identity,
  "address" | "signingKey" | "tls" | "commandKey" | "ingestKey"
>;

export type LightCarOptions = {
  readonly identity: LightIdentity;
  readonly broker: { readonly host: string; readonly port: number };
  readonly seed: number;
  readonly route: Route;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How many seconds of `track` go into a segment. */
  readonly trackS: number;
  readonly onStored: (ageMs: number) => void;
  readonly onMade: () => void;
};

export class LightCar {
  readonly #options: LightCarOptions;
  readonly #buffer: LightBuffer;
  readonly #uplink: Uplink;
  readonly #closeMs: Readonly<Record<Lane, number>>;
  #cut = false;
  #dropped: (() => void) | undefined;
  #driving = false;
  #wayM: number;
  #tripFromM = 0;
  #tripFromMs = 0;
  #lastMs: number;

  constructor(options: LightCarOptions) {
    this.#options = options;
    const { identity, seed, route, clock, random, log } = options;
    const { address, signingKey, ingestKey } = identity;
    this.#closeMs = { ...CLOSE_MS, track: options.trackS * 1000 };
    this.#wayM = chance(seed, PURPOSE_START, 0) * route.lengthM;
    this.#lastMs = clock.bootMs();
    this.#buffer = new LightBuffer({
      ...{ address, signingKey, ingestKey, random, agentVersion: AGENT_VERSION },
      nowMs: () => clock.bootMs(),
      onStored: options.onStored,
    });
    this.#uplink = startUplink({
      ...{ address, signingKey, clock, random, log, agentVersion: AGENT_VERSION },
      transport: this.#transport(),
      buffer: this.#buffer,
      session: createSession(clock, random),
      commandKey: () => identity.commandKey,
      commands: {
        execute: () => Promise.reject(new ProtocolError("unavailable", "a light car has no lock")),
      },
      profile: "light/1",
    });
    this.#say({
      kind: "agent.started",
      data: { version: AGENT_VERSION, previousEndedCleanly: true },
    });
  }

  get isDriving(): boolean {
    return this.#driving;
  }

  get isConnected(): boolean {
    return this.#uplink.status().state === "online";
  }

  status(): ReturnType<Uplink["status"]> & { readonly waiting: number; readonly refused: number } {
    const { refused } = this.#buffer;
    return { ...this.#uplink.status(), waiting: this.#buffer.waiting(), refused };
  }

  /** Once an interval: begins or ends a trip, and tells where it is while it drives. */
  turn(drives: boolean, isCut: boolean): void {
    const nowMs = this.#options.clock.bootMs();
    this.#setCut(isCut);
    if (drives !== this.#driving) this.#change(drives, nowMs);
    if (this.#driving) this.#sample(nowMs);
    this.#lastMs = nowMs;
    this.flush(false);
  }

  /** Closes what is old enough; `all`: whatever its age. */
  flush(all: boolean): void {
    this.#buffer.closeOlder(all ? { critical: 0, state: 0, track: 0 } : this.#closeMs);
  }

  /** There is coverage again, whatever the day says. */
  uncover(): void {
    this.#setCut(false);
  }

  close(): Promise<void> {
    return this.#uplink.close();
  }

  /** The agent's own, behind a network that may be away. */
  #transport(): Transport {
    const { identity, broker, clock } = this.#options;
    const { address, tls } = identity;
    const real = mqttTransport({ address, ...broker, tls: () => tls, clock });
    return {
      connect: async (events, will, signal) => {
        if (this.#cut) throw new ProtocolError("unavailable", "broker: no network");
        const connection = await real.connect(events, will, signal);
        this.#dropped = () => void connection.close();
        return connection;
      },
    };
  }

  #setCut(isCut: boolean): void {
    if (isCut === this.#cut) return;
    this.#cut = isCut;
    if (isCut) this.#dropped?.();
  }

  #change(drives: boolean, nowMs: number): void {
    this.#driving = drives;
    const odometerM = Math.round(this.#wayM);
    this.#say({ kind: "ignition.changed", data: { state: drives ? "ON" : "OFF" } });
    if (drives) {
      [this.#tripFromM, this.#tripFromMs] = [this.#wayM, nowMs];
      this.#say({ kind: "trip.started", data: { odometerM } });
      return;
    }
    const distanceM = Math.round(this.#wayM - this.#tripFromM);
    const durationS = Math.round((nowMs - this.#tripFromMs) / 1000);
    this.#say({ kind: "trip.ended", data: { distanceM, durationS, odometerM } });
  }

  #sample(nowMs: number): void {
    const { route, seed } = this.#options;
    const { eastM, northM, headingDegrees, limitKmh } = placeOn(route, this.#wayM);
    const pace = 0.6 + 0.4 * chance(seed, PURPOSE_PACE, Math.floor(nowMs / 5000));
    const speedKmh = Math.round(limitKmh * pace * 10) / 10;
    this.#wayM += (speedKmh / 3.6) * ((nowMs - this.#lastMs) / 1000);
    const { latitude, longitude } = toWgs84(eastM, northM);
    const position = { latitude, longitude, headingDeg: headingDegrees, speedKmh };
    const odometerM = Math.round(this.#wayM);
    this.#say({ kind: "position.sampled", data: { ...position, accuracyM: 2, odometerM } });
  }

  #say(event: NewEvent): void {
    const { clock, onMade } = this.#options;
    const lane = laneOf(event.kind);
    const bootMs = clock.bootMs();
    const wallOffsetMs = clock.wallMs() - bootMs;
    const made = { ...event, bootMs, wallOffsetMs, doubtMs: 1000 } as CarEvent;
    const before = this.#buffer.refused;
    this.#buffer.append(lane, made);
    if (this.#buffer.refused === before) onMade();
  }
}
