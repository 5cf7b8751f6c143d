/**
 * Bookings, commands and the API. The signer, a process of its own, has the only access to the tenants' command keys
 * and checks again what the API checked; the command service takes a command from its request to its end; the API
 * shows both over HTTPS. What cars say of their sessions and of commands comes in through the handler of car messages.
 */

export { answerAnnouncements } from "./announced.ts";
export { type ApiOptions, requestMetrics } from "./api/api.ts";
export { apiDescription } from "./api/description.ts";
export { SCOPES, type Scope } from "./api/route.ts";
export { apiServer, BODY_BYTES_MAX, type ServerTls } from "./api/server.ts";
export { type EventView, eventView, feedView } from "./api/views.ts";
export { type ArtefactParts, ArtefactService, artefactState } from "./artefacts.ts";
export {
  ACT_TABLE,
  type BookingFields,
  bookingIdOf,
  checkBooking,
  checkBookingMove,
  checkExtras,
  checkNewBooking,
  checkNewEnd,
  checkScopes,
  grantIdOf,
  HOLDER_PATTERN,
  LOCK_AFTER_END_MS_MAX,
  moveByCar,
} from "./booking-rules.ts";
export { BookingService } from "./bookings.ts";
export { type CertifiedKeys, keyPushFor, pushKeys } from "./car-keys.ts";
export { type CarMessageParts, carMessageHandler } from "./car-messages.ts";
export { COMMAND_DEADLINE_MS } from "./command-ask.ts";
export { type GrantParts, GrantService, grantState } from "./grants.ts";
export { lastCursor } from "./last-cursor.ts";
export { CommandLevels } from "./levels.ts";
export { isFinal, type Life, type LifeEvent, type LifeStep, lifeOf, next } from "./life-cycle.ts";
export { listenPrivately, refuseSecond } from "./private-socket.ts";
export { type BookingRental, rentalsIn } from "./rentals.ts";
export { type CommandParts, CommandService } from "./service.ts";
export { COMMAND_LIFE_MS_DEFAULT, expiryOnSessionClock } from "./session-clock.ts";
export { connectSigner, type SignerClient } from "./signer/client.ts";
export type { SignerTenant } from "./signer/core.ts";
export { BUCKET_MS_MAX, type RateLedger } from "./signer/rate.ts";
export {
  askForSignedRequests,
  asksForSignedRequests,
  putRequestKey,
  type RequestKeyListed,
  requestKeys,
  takeBack,
  wasTakenBack,
} from "./signer/request-keys.ts";
export {
  asker,
  checkCovered,
  isSignedBy,
  type ReadSignature,
  type RequestProof,
  readSignature,
  requestKey,
  signatureBase,
} from "./signer/request-signature.ts";
export {
  provisionSigner,
  rotateSigner,
  SIGNER_PURPOSES,
  type SignerPublicKey,
  type SignerPurpose,
} from "./signer/secrets.ts";
export { type RunningSigner, runSigner, type SignerOptions } from "./signer/server.ts";
export type { AuditCheck, HandedIn, PutAside, TenantTools } from "./tenant-tools.ts";
