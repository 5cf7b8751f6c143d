/** All of the API's operations: made by `node scripts/client.ts` from the API's description. */
import type { OperationRow } from "../page.ts";
import type { AnalyticsOperations } from "./analytics.ts";
import type { ArtefactsOperations } from "./artefacts.ts";
import type { AuditOperations } from "./audit.ts";
import type { BookingsOperations } from "./bookings.ts";
import type { CommandsOperations } from "./commands.ts";
import type { EventsOperations } from "./events.ts";
import type { FeedOperations } from "./feed.ts";
import type { FilesOperations } from "./files.ts";
import type { KeysOperations } from "./keys.ts";
import type { MeOperations } from "./me.ts";
import type { PeopleOperations } from "./people.ts";
import type { PlatformOperations } from "./platform.ts";
import type { QuarantineOperations } from "./quarantine.ts";
import type { SupportOperations } from "./support.ts";
import type { VehiclesOperations } from "./vehicles.ts";
import type { WebhooksOperations } from "./webhooks.ts";

export type Operations = AnalyticsOperations &
  ArtefactsOperations &
  AuditOperations &
  BookingsOperations &
  CommandsOperations &
  EventsOperations &
  FeedOperations &
  FilesOperations &
  KeysOperations &
  MeOperations &
  PeopleOperations &
  PlatformOperations &
  QuarantineOperations &
  SupportOperations &
  VehiclesOperations &
  WebhooksOperations;
export const OPERATIONS: Readonly<Record<keyof Operations, OperationRow>> = {
  addFile: { method: "POST", path: "/v1/tenants/{tenant}/files" },
  addMyFile: { method: "POST", path: "/v1/tenants/{tenant}/me/files" },
  addWebhook: { method: "POST", path: "/v1/tenants/{tenant}/webhooks", json: true },
  agreeQuotas: { method: "PATCH", path: "/v1/platform/tenants/{operator}", json: true },
  approveAccess: { method: "POST", path: "/v1/tenants/{tenant}/access-requests/{request}/approve", json: true },
  askCommand: { method: "POST", path: "/v1/tenants/{tenant}/vehicles/{vehicle}/commands", once: true, json: true },
  beginCard: { method: "POST", path: "/v1/tenants/{tenant}/people/{person}/card", json: true },
  cancelBooking: { method: "POST", path: "/v1/tenants/{tenant}/bookings/{booking}/cancel" },
  cancelCommand: { method: "POST", path: "/v1/tenants/{tenant}/commands/{command}/cancel" },
  carryGrant: { method: "POST", path: "/v1/tenants/{tenant}/grants/{grant}/carry" },
  certifyErasure: { method: "POST", path: "/v1/tenants/{tenant}/people/{person}/certify", json: true },
  changeMe: { method: "PATCH", path: "/v1/tenants/{tenant}/me", json: true },
  changePerson: { method: "PUT", path: "/v1/tenants/{tenant}/people/{person}", json: true },
  changeWebhook: { method: "PATCH", path: "/v1/tenants/{tenant}/webhooks/{webhook}", json: true },
  chargePerson: { method: "POST", path: "/v1/tenants/{tenant}/people/{person}/charges", json: true },
  checkAudit: { method: "GET", path: "/v1/tenants/{tenant}/audit/check" },
  closeTicket: { method: "POST", path: "/v1/tenants/{tenant}/tickets/{ticket}/close", json: true },
  createBooking: { method: "POST", path: "/v1/tenants/{tenant}/bookings", once: true, json: true },
  createGrant: { method: "POST", path: "/v1/tenants/{tenant}/bookings/{booking}/grants", once: true, json: true },
  createPerson: { method: "POST", path: "/v1/tenants/{tenant}/people", json: true },
  endAccess: { method: "POST", path: "/v1/tenants/{tenant}/access-requests/{request}/end", json: true },
  endBooking: { method: "POST", path: "/v1/tenants/{tenant}/bookings/{booking}/end" },
  erasePerson: { method: "POST", path: "/v1/tenants/{tenant}/people/{person}/erase", json: true },
  exportMe: { method: "GET", path: "/v1/tenants/{tenant}/me/export" },
  feed: { method: "GET", path: "/v1/tenants/{tenant}/feed" },
  getAggregates: { method: "GET", path: "/v1/tenants/{tenant}/aggregates/{month}" },
  getAvatar: { method: "GET", path: "/v1/tenants/{tenant}/people/{person}/avatar" },
  getBenchmark: { method: "GET", path: "/v1/platform/benchmarks/{region}/{month}" },
  getBooking: { method: "GET", path: "/v1/tenants/{tenant}/bookings/{booking}" },
  getCommand: { method: "GET", path: "/v1/tenants/{tenant}/commands/{command}" },
  getContact: { method: "GET", path: "/v1/tenants/{tenant}/me/bookings/{booking}/contact" },
  getLatest: { method: "GET", path: "/v1/tenants/{tenant}/vehicles/{vehicle}/latest" },
  getMe: { method: "GET", path: "/v1/tenants/{tenant}/me" },
  getPerson: { method: "GET", path: "/v1/tenants/{tenant}/people/{person}" },
  getPrivacy: { method: "GET", path: "/v1/tenants/{tenant}/privacy" },
  getRetention: { method: "GET", path: "/v1/tenants/{tenant}/retention" },
  getTenant: { method: "GET", path: "/v1/platform/tenants/{operator}" },
  getVehicle: { method: "GET", path: "/v1/tenants/{tenant}/vehicles/{vehicle}" },
  getWebhook: { method: "GET", path: "/v1/tenants/{tenant}/webhooks/{webhook}" },
  giveConsent: { method: "POST", path: "/v1/tenants/{tenant}/me/consents", json: true },
  linkFile: { method: "POST", path: "/v1/tenants/{tenant}/files/{file}/link", json: true },
  linkMyFile: { method: "POST", path: "/v1/tenants/{tenant}/me/files/{file}/link", json: true },
  listAccess: { method: "GET", path: "/v1/tenants/{tenant}/access-requests" },
  listArtefacts: { method: "GET", path: "/v1/tenants/{tenant}/artefacts" },
  listAudit: { method: "GET", path: "/v1/tenants/{tenant}/audit" },
  listBookings: { method: "GET", path: "/v1/tenants/{tenant}/bookings" },
  listCommands: { method: "GET", path: "/v1/tenants/{tenant}/vehicles/{vehicle}/commands" },
  listConsents: { method: "GET", path: "/v1/tenants/{tenant}/people/{person}/consents" },
  listDeadDeliveries: { method: "GET", path: "/v1/tenants/{tenant}/webhooks/{webhook}/dead" },
  listErasures: { method: "GET", path: "/v1/tenants/{tenant}/erasures" },
  listEvents: { method: "GET", path: "/v1/tenants/{tenant}/events" },
  listFiles: { method: "GET", path: "/v1/tenants/{tenant}/files" },
  listFleet: { method: "GET", path: "/v1/tenants/{tenant}/fleet" },
  listGrants: { method: "GET", path: "/v1/tenants/{tenant}/vehicles/{vehicle}/grants" },
  listHolds: { method: "GET", path: "/v1/tenants/{tenant}/holds" },
  listMyBookings: { method: "GET", path: "/v1/tenants/{tenant}/me/bookings" },
  listMyEvents: { method: "GET", path: "/v1/tenants/{tenant}/me/bookings/{booking}/events" },
  listMyFiles: { method: "GET", path: "/v1/tenants/{tenant}/me/files" },
  listPeople: { method: "GET", path: "/v1/tenants/{tenant}/people" },
  listQuarantine: { method: "GET", path: "/v1/tenants/{tenant}/quarantine" },
  listRequestKeys: { method: "GET", path: "/v1/tenants/{tenant}/request-keys" },
  listTenants: { method: "GET", path: "/v1/platform/tenants" },
  listTickets: { method: "GET", path: "/v1/tenants/{tenant}/tickets" },
  listTrips: { method: "GET", path: "/v1/tenants/{tenant}/trips" },
  listVehicleArtefacts: { method: "GET", path: "/v1/tenants/{tenant}/vehicles/{vehicle}/artefacts" },
  listVehicleTrips: { method: "GET", path: "/v1/tenants/{tenant}/vehicles/{vehicle}/trips" },
  listVehicles: { method: "GET", path: "/v1/tenants/{tenant}/vehicles" },
  listWebhooks: { method: "GET", path: "/v1/tenants/{tenant}/webhooks" },
  openTicket: { method: "POST", path: "/v1/tenants/{tenant}/tickets", json: true },
  orderTenant: { method: "POST", path: "/v1/platform/tenants", json: true },
  placeHold: { method: "POST", path: "/v1/tenants/{tenant}/holds", json: true },
  publishArtefact: { method: "PUT", path: "/v1/tenants/{tenant}/artefacts/{kind}/{name}", json: true },
  queryAccess: { method: "GET", path: "/v1/tenants/{tenant}/access-requests/{request}/events" },
  recordConsent: { method: "POST", path: "/v1/tenants/{tenant}/people/{person}/consents", json: true },
  redriveDeliveries: { method: "POST", path: "/v1/tenants/{tenant}/webhooks/{webhook}/redrive", json: true },
  redriveQuarantined: { method: "POST", path: "/v1/tenants/{tenant}/quarantine/{message}/redrive", json: true },
  refuseAccess: { method: "POST", path: "/v1/tenants/{tenant}/access-requests/{request}/refuse", json: true },
  releaseHold: { method: "POST", path: "/v1/tenants/{tenant}/holds/{hold}/release", json: true },
  removeFile: { method: "POST", path: "/v1/tenants/{tenant}/files/{file}/remove", json: true },
  removeMyFile: { method: "POST", path: "/v1/tenants/{tenant}/me/files/{file}/remove", json: true },
  removeTenant: { method: "POST", path: "/v1/platform/tenants/{operator}/remove", json: true },
  removeWebhook: { method: "POST", path: "/v1/tenants/{tenant}/webhooks/{webhook}/remove", json: true },
  requestAccess: { method: "POST", path: "/v1/tenants/{tenant}/access-requests", json: true },
  rescheduleBooking: { method: "PATCH", path: "/v1/tenants/{tenant}/bookings/{booking}", json: true },
  revealHolder: { method: "POST", path: "/v1/tenants/{tenant}/bookings/{booking}/reveal", json: true },
  revokeGrant: { method: "POST", path: "/v1/tenants/{tenant}/grants/{grant}/revoke" },
  revokeRequestKey: { method: "POST", path: "/v1/tenants/{tenant}/request-keys/revoke", json: true },
  rotateWebhook: { method: "POST", path: "/v1/tenants/{tenant}/webhooks/{webhook}/rotate", json: true },
  setOwner: { method: "PUT", path: "/v1/tenants/{tenant}/vehicles/{vehicle}/owner", json: true },
  setPrivacy: { method: "PUT", path: "/v1/tenants/{tenant}/privacy", json: true },
  setRetention: { method: "PUT", path: "/v1/tenants/{tenant}/retention", json: true },
  suspendPerson: { method: "POST", path: "/v1/tenants/{tenant}/people/{person}/suspend", json: true },
  withdrawConsent: { method: "POST", path: "/v1/tenants/{tenant}/me/consents/withdraw", json: true },
};

export type * from "./analytics.ts";
export type * from "./artefacts.ts";
export type * from "./audit.ts";
export type * from "./bookings.ts";
export type * from "./commands.ts";
export type * from "./events.ts";
export type * from "./feed.ts";
export type * from "./files.ts";
export type * from "./keys.ts";
export type * from "./me.ts";
export type * from "./people.ts";
export type * from "./platform.ts";
export type * from "./quarantine.ts";
export type * from "./support.ts";
export type * from "./vehicles.ts";
export type * from "./webhooks.ts";
