/** What the API answers, by the names that this page has for it, and what a map shows of it. Types only. */
import type { Answer, Item } from "@kerbside/client";

export type { FeedEntry, Page } from "@kerbside/client";
export type FleetCar = Item<"listFleet">;
export type Vehicle = Answer<"getVehicle">;
export type Booking = Answer<"getBooking">;
export type Command = Answer<"getCommand">;
export type AuditRow = Item<"listAudit">;
export type AuditCheck = Answer<"checkAudit">;
export type Holder = Answer<"revealHolder">;
export type PutAside = Item<"listQuarantine">;
export type HandedIn = Answer<"redriveQuarantined">;
export type Ticket = Item<"listTickets">;
export type Access = Item<"listAccess">;
export type DueErasure = Item<"listErasures">;
export type Webhook = Item<"listWebhooks">;
export type Hold = Item<"listHolds">;
export type Certificate = Answer<"certifyErasure">;
/** Of a list of events: one of them, or numbers that are declared as gone. */
export type Told = Item<"listEvents">;
export type CarEvent = Required<Omit<Told, "gap" | "data">> & {
  readonly data: Readonly<Record<string, unknown>>;
};

export type Point = { readonly latitude: number; readonly longitude: number };
export type Marker = Point & {
  readonly id: string;
  readonly tone: "good" | "off" | "bad" | "moving";
};
