/** What the API answers, and what a map shows of it. Types only. */

export type FleetCar = {
  readonly vehicle: string;
  readonly profile: string;
  readonly online: boolean;
  readonly revoked: boolean;
  readonly seenAt?: string;
  readonly locked?: boolean;
  readonly latitude?: number;
  readonly longitude?: number;
  readonly headingDeg?: number;
  readonly speedKmh?: number;
  readonly fuelPercent?: number;
  readonly chargePercent?: number;
  readonly batteryLowV?: number;
  readonly fault?: string;
  readonly alarm?: string;
  readonly alarmAt?: string;
};
export type CarEvent = {
  readonly vehicle: string;
  readonly log: string;
  readonly lane: string;
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
};
export type Gap = { readonly vehicle: string; readonly gap: readonly [number, number] };
export type Vehicle = {
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
export type Booking = {
  readonly booking: string;
  readonly vehicle: string;
  readonly from: string;
  readonly to: string;
  readonly state: "reserved" | "open" | "ended" | "cancelled";
};
export type Command = {
  readonly id: string;
  readonly vehicle: string;
  readonly action: string;
  readonly booking?: string;
  readonly state: string;
  readonly final: boolean;
  readonly steps: readonly { readonly state: string; readonly at: string }[];
  readonly result?: {
    readonly unmet: readonly { readonly condition: string; readonly words: string }[];
    readonly sensed?: Readonly<Record<string, string>>;
    readonly reason?: string;
    readonly durable: boolean;
  };
  readonly error?: {
    readonly code: string;
    readonly words: string;
    readonly mayHaveSucceeded: boolean;
  };
};
export type AuditRow = {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly from?: string;
};
export type Holder = {
  readonly holder: string;
  readonly name?: string;
  readonly phone?: string;
  readonly email?: string;
};
export type AuditCheck = {
  readonly ok: boolean;
  readonly entries: number;
  readonly unanchored: number;
  readonly problems: readonly string[];
};
export type PutAside = {
  readonly message: number;
  readonly at: string;
  readonly vehicle?: string;
  readonly reason: string;
  readonly topic: string;
  readonly bytes: number;
};
export type HandedIn = {
  readonly outcome: "stored" | "duplicate" | "fork" | "waiting" | "dropped" | "still";
  readonly reason?: string;
};
export type Ticket = {
  readonly ticket: string;
  readonly words: string;
  readonly openedAt: string;
  readonly closedAt?: string;
};
export type Access = {
  readonly request: string;
  readonly kind: string;
  readonly subject: string;
  readonly reason: string;
  readonly askedBy: string;
  readonly askedAt: string;
  readonly state: "asked" | "approved" | "refused" | "ended";
  readonly until?: string;
};
export type DueErasure = {
  readonly person: string;
  readonly stage: "suspend" | "erase" | "certify";
  readonly term: string;
  readonly due: string;
  readonly held: boolean;
};
export type Hold = {
  readonly hold: string;
  /** Or a car with its times. */
  readonly person?: string;
  readonly vehicle?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason: string;
  readonly readers: readonly string[];
  readonly placedAt: string;
  readonly releasedAt?: string;
};
export type Certificate = {
  readonly statement: string;
  readonly publicKey: string;
  readonly signature: string;
};
export type FeedEntry = {
  readonly cursor: number;
  readonly topic: "vehicle" | "booking" | "command" | "events";
  readonly id: string;
};
export type Page<T> = { readonly items: readonly T[]; readonly next?: string };

export type Point = { readonly latitude: number; readonly longitude: number };
export type Marker = Point & {
  readonly id: string;
  readonly tone: "good" | "off" | "bad" | "moving";
};
