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
  readonly holder: string;
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
