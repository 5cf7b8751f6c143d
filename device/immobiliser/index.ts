/**
 * Locks and immobiliser of the car: the interlock table, the state machine that a command runs through, the small
 * store that remembers commands whatever happens, and the link to the lock controller. It decides and senses; what it
 * answers is bound to the request, signed and sent by others. It has no way to stop a moving car.
 */
export { type Answer, Executor, type ExecutorOptions, WAITING_MAX } from "./executor.ts";
export type { CarFacts, Reading } from "./facts.ts";
export {
  CONDITIONS,
  type ConditionName,
  INTERLOCKS,
  type InterlockVerdict,
  judgeAction,
  STANDSTILL_MS_MIN,
} from "./interlocks.ts";
export { type Journal, type JournalOrder, ORDERS_MAX, openJournal } from "./journal.ts";
export {
  ACTUATION_MS_MAX,
  LockDriver,
  type LockDriverOptions,
  type StatusReport,
} from "./lock-driver.ts";
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
  stepOrder,
  type Verdict,
  verdictOf,
} from "./order.ts";
export { NOTHING_SENSED, seenDone, sensedState } from "./sensed.ts";
export {
  type SerialConnection,
  type SerialEvents,
  type SerialLink,
  serialLink,
} from "./serial-link.ts";
export { openTwoCopyFile, type TwoCopyFile } from "./two-copy-file.ts";
