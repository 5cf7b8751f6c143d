/**
 * Locks, immobiliser and rental of the car, and its 12 V care: the interlock table, the state machine that a command
 * runs through, the one command that may wait for the car to stand, the small stores that remember whatever happens,
 * and the drivers of the lock. It decides and senses; what it answers is bound to the request, signed and sent by
 * others. It has no way to stop a moving car.
 */
export { type BootDifference, bootDifferences } from "./boot-check.ts";
export { CanLockDriver, type CanLockDriverOptions } from "./can-lock-driver.ts";
export {
  type CanLockFrame,
  CanLockGate,
  type CanLocking,
  type CanLockSend,
  canLockFrame,
  crc8J1850,
  type GateVerdict,
} from "./can-lock-gate.ts";
export { type CarRecord, openCarRecord } from "./car-record.ts";
export {
  type Ask,
  CONDITIONS,
  type ConditionName,
  END_CONDITION_WORDS,
  GNSS_MOTION_KMH_MIN,
} from "./conditions.ts";
export {
  type Answer,
  ASKED_MS_MAX,
  type CommandSession,
  type DisarmReason,
  Executor,
  type ExecutorOptions,
  type Opener,
  WAITING_MAX,
} from "./executor.ts";
export {
  type Armed,
  type CarFacts,
  END_UNKNOWN,
  freshReading,
  type InterlockParameters,
  isBusAsleep,
  type Reading,
  STANDSTILL_MS_MIN,
} from "./facts.ts";
export {
  type Afterwards,
  INTERLOCKS,
  type InterlockAsk,
  type InterlockVerdict,
  judgeAction,
} from "./interlocks.ts";
export {
  type FinishedOrder,
  type Journal,
  type JournalOrder,
  ORDERS_MAX,
  openJournal,
} from "./journal.ts";
export {
  ACTUATION_MS_MAX,
  LOCK_WAKE_MS_MAX,
  LockDriver,
  type LockDriverOptions,
  type StatusReport,
} from "./lock-driver.ts";
export {
  LOCK_FAULTS,
  LOCK_FAULTS_NONE,
  LOCK_NOISE_FRAMES_MIN,
  LOCK_NOISE_WINDOW_MS,
  LOCK_SUPPLY_MV_GOOD,
  LOCK_SUPPLY_MV_LOW,
  type LockFault,
  type LockFaultEffect,
  type LockFaultStep,
  type LockFaults,
  type LockSeen,
  nextLockFaults,
} from "./lock-faults.ts";
export type { LockPort } from "./lock-port.ts";
export {
  MOTION_UNKNOWN,
  type Motion,
  type MotionInput,
  motionFacts,
  nextMotion,
} from "./motion.ts";
export {
  type Actuated,
  beginOrder,
  type OrderEffect,
  type OrderInput,
  type OrderState,
  type OrderStep,
  type OrderWork,
  stepOrder,
  type Verdict,
  verdictOf,
} from "./order.ts";
export {
  ACTIVE_MS,
  nextPower,
  POWER_LIMITS,
  POWER_TABLE,
  type Power,
  type PowerEffect,
  type PowerInput,
  type PowerLimits,
  type PowerRow,
  type PowerState,
  type PowerStep,
  startPower,
  type WakeSource,
} from "./power.ts";
export {
  nextRental,
  type OpenRental,
  type Rental,
  type RentalEffect,
  type RentalEnd,
  type RentalInput,
  type RentalOpener,
  type RentalPhase,
  type RentalStep,
} from "./rental.ts";
export { RentalDesk, type RentalDeskOptions, type RentalPort } from "./rental-desk.ts";
export { openPolicyStore, type PolicyStore } from "./rental-policy.ts";
export { mayHaveMoved, NOTHING_SENSED, seenDone, seenMoved, sensedState } from "./sensed.ts";
export { type SerialLink, serialLink } from "./serial-link.ts";
export { openTwoCopyFile, readTwoCopyFile, type TwoCopyFile } from "./two-copy-file.ts";
export { insideAny } from "./zones.ts";
