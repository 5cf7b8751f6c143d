/**
 * Vehicle profiles: a file for each car model that says which signals its CAN carries and how, what the car can
 * do, and what its interlocks ask. Read and checked here, with every reference resolved.
 */
export { busFiltersOf } from "./bus-filters.ts";
export { CHECKSUMS, type ChecksumMethod, checksumOf, type E2eRule } from "./e2e.ts";
export type { BoundLeaf, BoundMessage, CompiledProfile } from "./link.ts";
export {
  checkProfile,
  checkProfileFile,
  loadProfile,
  type ProfileCheck,
  type ProfileSource,
  readProfile,
  readShippedProfile,
  shippedProfiles,
} from "./load.ts";
export {
  type Dbc2Vss,
  formatProfileProblem,
  type InterlockParameters,
  type Limits,
  type ObdRule,
  type Profile,
  ProfileError,
  type ProfileMessage,
  type ProfileProblem,
  type ProfileSignal,
} from "./model.ts";
export {
  openProfileShelf,
  PROFILE_BYTES_MAX,
  type ProfileShelf,
  unpackProfile,
} from "./shelf.ts";
export { stampE2e } from "./stamp.ts";
