/**
 * Access without coverage: the grants that a tenant gave ahead of time, the cards and phones held to the reader, and
 * whether they may do what they ask, by trusted time and its doubt. Denied by default, all reasons at once. A
 * credential that was used in a rental works until that rental ends. It decides and remembers; bolts are the
 * immobiliser's, events and files those of whoever composes the agent.
 */
export { type CardProofOptions, proveCard } from "./card-proof.ts";
export {
  AccessDesk,
  type AccessDeskOptions,
  type AccessOrder,
  type AccessOutcome,
} from "./desk.ts";
export {
  type AccessFacts,
  type AccessVerdict,
  evaluate,
  grantsOfCard,
  grantsOfPhone,
  type Offer,
  REASONS,
  type Reason,
} from "./evaluate.ts";
export { GrantStore, type GrantStoreOptions, type GrantsApplied } from "./grant-store.ts";
export type { KeptFile } from "./kept-file.ts";
export { type AccessListing, listAccess } from "./listing.ts";
export { type Heard, hearPhone } from "./phone-proof.ts";
export {
  type Presentation,
  ReaderDriver,
  type ReaderDriverOptions,
  type ReaderEvents,
} from "./reader-driver.ts";
export { type AccessRecord, HOLDERS_MAX, type Holder, openAccessRecord } from "./record.ts";
export {
  type BoltsSeen,
  type FailedTap,
  TAP_AGAIN_MS_MAX,
  type TapFacts,
  tapAction,
} from "./tap.ts";
export {
  delayMsAfter,
  failuresAfter,
  PIN_FAILURES_MAX,
  TRIES_FREE,
  TRIES_HALVED_MS,
  TRY_DELAY_MS_MAX,
  type Tries,
  TryLimits,
} from "./tries.ts";
